#include "src/layers/noise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/random.hpp"
#include "src/layers/alpha_dropout.hpp"
#include "src/layers/row_random.hpp"
#include "src/layers/spatial_dropout.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;

constexpr Pass kTraining{.training = true, .seed = 3, .step = 5, .first_row = 10};
const Shape kInput{3, 1, 2, 3};

using Make = std::function<std::unique_ptr<Layer>(double rate)>;
/// How to make a layer with a rate, and what it takes.
struct Tested {
  const char* name;
  Make make;
  Shape input;
};
class NoiseLayers : public ::testing::TestWithParam<Tested> {
 protected:
  Floats output(const Pass& pass, std::int64_t rows, double rate = 0.4,
                std::int64_t block_grains = 0, std::int64_t index = 2) {
    const auto layer = GetParam().make(rate);
    layer->set_index(index);
    test::LayerRun run(*layer, {GetParam().input}, rows, pass, block_grains);
    std::ranges::fill(run.x(), 1.5f);
    return run.forward();
  }
};

TEST_P(NoiseLayers, BackwardMatchesFiniteDifferences) {
  const auto layer = GetParam().make(0.4);
  test::expect_gradients_match_finite_differences(*layer, GetParam().input, 4, kTraining);
}

TEST_P(NoiseLayers, BitsOfARowDependOnItsPositionInTheGlobalBatchOnly) {
  const Floats whole = output(kTraining, 6);
  EXPECT_EQ(output(kTraining, 6, 0.4, 1), whole);
  Pass later = kTraining;
  later.first_row += 4;
  const Floats tail = output(later, 2);
  EXPECT_TRUE(std::ranges::equal(tail, std::span(whole).last(tail.size())));
  EXPECT_FALSE(std::ranges::equal(tail, std::span(whole).first(tail.size())));
}

TEST_P(NoiseLayers, StepSeedAndLayerGiveOtherNumbers) {
  Pass other_step = kTraining, other_seed = kTraining;
  ++other_step.step;
  ++other_seed.seed;
  const Floats y = output(kTraining, 8);
  EXPECT_NE(y, output(other_step, 8));
  EXPECT_NE(y, output(other_seed, 8));
  EXPECT_NE(y, output(kTraining, 8, 0.4, 0, 3));
}

TEST_P(NoiseLayers, AreTheIdentityInInferenceAndAtRateZero) {
  const Floats ones(static_cast<std::size_t>(2 * element_count(GetParam().input)), 1.5f);
  EXPECT_EQ(output({}, 2), ones);
  EXPECT_EQ(output(kTraining, 2, 0), ones);
}

/// As a call with training=False in a network that is trained.
TEST_P(NoiseLayers, PassesOnGradientsWhereItIsCalledAsInInference) {
  const auto layer = GetParam().make(0.4);
  test::LayerRun run(*layer, {GetParam().input}, 2, kTraining);
  run.forward();
  Floats dy(run.x().size(), 2.5f);
  test::LayerRun inference(*layer, {GetParam().input}, 2, {});
  inference.backward(dy);
  EXPECT_EQ(inference.dx(), dy);
}

INSTANTIATE_TEST_SUITE_P(
    Noise, NoiseLayers,
    ::testing::Values(
        Tested{"GaussianNoise", [](double rate) { return std::make_unique<GaussianNoise>(rate); },
               kInput},
        Tested{"GaussianDropout",
               [](double rate) { return std::make_unique<GaussianDropout>(rate); }, kInput},
        Tested{"AlphaDropout", [](double rate) { return std::make_unique<AlphaDropout>(rate); },
               kInput},
        Tested{"SpatialDropout1D",
               [](double rate) { return std::make_unique<SpatialDropout>(1, rate); },
               {3, 13}},
        Tested{"SpatialDropout2D",
               [](double rate) { return std::make_unique<SpatialDropout>(2, rate); },
               {2, 2, 13}},
        Tested{"SpatialDropout3D",
               [](double rate) { return std::make_unique<SpatialDropout>(3, rate, true); },
               {13, 2, 1, 2}}),
    [](const auto& info) { return info.param.name; });

struct Moments {
  double mean, variance;
};
Moments moments(const Floats& values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const float v : values) sum += v, squares += static_cast<double>(v) * v;
  return {sum / n, squares / n - sum * sum / n / n};
}

Floats outputs_of(Layer& layer, const Shape& input, std::int64_t rows, const Floats& x) {
  test::LayerRun run(layer, {input}, rows, kTraining);
  run.x() = x;
  return run.forward();
}

TEST(GaussianNoise, HasMeanZeroAndItsDeviation) {
  GaussianNoise layer(0.5);
  const auto [mean, variance] = moments(outputs_of(layer, {101}, 200, Floats(20200, 0.0f)));
  EXPECT_NEAR(mean, 0, 0.015);
  EXPECT_NEAR(variance, 0.25, 0.01);
}

TEST(GaussianDropout, MultipliesByMeanOneAndDropoutsVariance) {
  GaussianDropout layer(0.2);
  const auto [mean, variance] = moments(outputs_of(layer, {101}, 200, Floats(20200, 2.0f)));
  EXPECT_NEAR(mean, 2, 0.03);
  EXPECT_NEAR(variance, 4 * 0.2 / 0.8, 0.04);
}

TEST(AlphaDropout, LeavesMeanZeroAndVarianceOne) {
  Floats x(20200);
  const RandomStream random(1, Purpose::kSynthetic, 0);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(i));
  AlphaDropout layer(0.3);
  const Floats y = outputs_of(layer, {101}, 200, x);
  const auto [mean, variance] = moments(y);
  EXPECT_NEAR(mean, 0, 0.03);
  EXPECT_NEAR(variance, 1, 0.04);
  // Keras's formula, in double.
  const double lowest = -1.6732632423543772 * 1.0507009873554805;
  const double a = std::pow((1 - 0.3) * (1 + 0.3 * lowest * lowest), -0.5);
  const double b = -a * lowest * 0.3;
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool is_dropped = std::abs(y[i] - (a * lowest + b)) < 1e-6;
    dropped += is_dropped;
    EXPECT_NEAR(y[i], is_dropped ? a * lowest + b : a * x[i] + b, 1e-5);
  }
  EXPECT_NEAR(static_cast<double>(dropped) / 20200, 0.3, 0.01);
}

TEST(SpatialDropout, DropsWholeChannels) {
  constexpr std::size_t kRows = 100, kPositions = 6, kChannels = 20;
  for (const bool channels_first : {false, true}) {
    SpatialDropout layer(2, 0.25, channels_first);
    const Shape input = channels_first ? Shape{20, 3, 2} : Shape{3, 2, 20};
    const Floats y = outputs_of(layer, input, kRows, Floats(kRows * kPositions * kChannels, 1.0f));
    std::size_t zeros = 0;
    for (std::size_t row = 0; row < kRows; ++row)
      for (std::size_t channel = 0; channel < kChannels; ++channel) {
        const auto at = [&](std::size_t position) {
          const std::size_t element =
              channels_first ? channel * kPositions + position : position * kChannels + channel;
          return y[row * kPositions * kChannels + element];
        };
        EXPECT_TRUE(at(0) == 0.0f || at(0) == static_cast<float>(1 / 0.75));
        for (std::size_t position = 1; position < kPositions; ++position)
          EXPECT_EQ(at(position), at(0));
        zeros += at(0) == 0.0f;
      }
    EXPECT_NEAR(static_cast<double>(zeros) / (kRows * kChannels), 0.25, 0.03);
  }
}

TEST(RowRandom, NormalsAreThoseOfTheStream) {
  const RowRandom row_random(kTraining, Purpose::kNoise, 9);
  const RandomStream stream(kTraining.seed, Purpose::kNoise, 5, 9);
  for (const std::size_t n : {1u, 2u, 63u, 64u, 65u, 131u}) {
    Floats y(n);
    row_random.normals(7, 0.5, 2, y);
    const std::size_t first = 7 * ((n + 1) / 2) * 2;
    for (std::size_t i = 0; i < n; ++i)
      EXPECT_EQ(y[i], static_cast<float>(0.5 + 2 * stream.normal(first + i))) << n;
  }
}

TEST(RowRandom, MasksAreThoseOfTheStreamsWords) {
  const RowRandom row_random(kTraining, Purpose::kDropout, 9);
  const RandomStream stream(kTraining.seed, Purpose::kDropout, 5, 9);
  for (const std::size_t n : {1u, 4u, 7u, 33u}) {
    Floats y(n);
    row_random.mask(7, 0.25, 2, y);
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t word = stream.words(7 * ((n + 3) / 4) + i / 4)[i % 4];
      EXPECT_EQ(y[i], word < (1u << 30) ? 0.0f : 2.0f) << n;
    }
  }
}

TEST(NoiseConfigs, RefuseRatesThatKerasRefusesOrCannotTrainWith) {
  EXPECT_THROW(GaussianNoise(-0.1), Error);
  EXPECT_THROW(GaussianDropout(1), Error);
  EXPECT_THROW(AlphaDropout(1), Error);
  EXPECT_THROW(SpatialDropout(1, 1.5), Error);
  SpatialDropout layer(2, 0.5);
  EXPECT_THROW(test::LayerRun(layer, {{3, 4}}, 1), Error);
}

TEST(NoiseConfigs, ConfigsAreWhatKeras2And3Read) {
  EXPECT_EQ(GaussianNoise(0.5).config().dump(), R"({"stddev":0.5,"seed":null})");
  EXPECT_EQ(GaussianDropout(0.5).config().dump(), R"({"rate":0.5,"seed":null})");
  EXPECT_EQ(AlphaDropout(0.5).config().dump(), R"({"rate":0.5,"seed":null})");
  EXPECT_EQ(SpatialDropout(1, 0.5).config().dump(), R"({"rate":0.5,"seed":null})");
  EXPECT_EQ(SpatialDropout(3, 0.5, true).config().dump(),
            R"({"rate":0.5,"seed":null,"data_format":"channels_first"})");
}

}  // namespace
}  // namespace lockstep
