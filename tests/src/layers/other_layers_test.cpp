#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/rescaling.hpp"
#include "src/layers/reshaping.hpp"
#include "tests/support/finite_differences.hpp"

namespace lockstep {
namespace {

float activated(Activation activation, float x) {
  activate(activation, {&x, 1, 1});
  return x;
}

TEST(Activation, HasKerasValues) {
  EXPECT_NEAR(activated(Activation::kGelu, 1), 0.8413447461, 1e-6);
  EXPECT_NEAR(activated(Activation::kSelu, -1), -1.1113307378, 1e-6);
  EXPECT_NEAR(activated(Activation::kSigmoid, 2), 0.8807970780, 1e-6);
  EXPECT_NEAR(activated(Activation::kElu, -1), -0.6321205588, 1e-6);
  EXPECT_NEAR(activated(Activation::kSilu, 1), 0.7310585786, 1e-6);
  EXPECT_NEAR(activated(Activation::kSoftplus, 1), 1.3132616875, 1e-6);
  EXPECT_NEAR(activated(Activation::kLeakyRelu, -2), -0.4, 1e-6);
  EXPECT_NEAR(activated(Activation::kTanh, 0.5f), 0.4621171573, 1e-6);
  EXPECT_EQ(activated(Activation::kRelu, -3), 0.0f);
}

TEST(Activation, IsFiniteAtBothEnds) {
  for (const Activation activation :
       {Activation::kSigmoid, Activation::kTanh, Activation::kElu, Activation::kSelu,
        Activation::kGelu, Activation::kSilu, Activation::kSoftplus})
    for (const float x : {-200.0f, 200.0f})
      EXPECT_TRUE(std::isfinite(activated(activation, x))) << activation_name(activation);
}

TEST(Activation, ReluKeepsNaN) {
  EXPECT_TRUE(std::isnan(activated(Activation::kRelu, std::nanf(""))));
}

TEST(Activation, SoftmaxOfLargeLogitsSumsToOne) {
  std::array z{1000.f, 1001.f, 999.f};
  activate(Activation::kSoftmax, {z.data(), 1, 3});
  EXPECT_NEAR(z[0] + z[1] + z[2], 1.0f, 1e-6f);
  EXPECT_NEAR(z[1], 0.66524096f, 1e-6f);
}

TEST(Activation, RefusesAnUnknownNameAndListsTheKnownOnes) {
  try {
    activation_from_name("relu7");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_NE(std::string(error.what()).find("leaky_relu"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("got 'relu7'"), std::string::npos);
  }
}

TEST(ActivationLayer, BackwardMatchesFiniteDifferences) {
  for (const Activation activation : {Activation::kSilu, Activation::kSoftmax, Activation::kRelu}) {
    ActivationLayer layer(activation);
    test::expect_gradients_match_finite_differences(layer, {3, 5}, 2);
  }
}

TEST(Rescaling, BackwardMatchesFiniteDifferences) {
  Rescaling layer(1.0 / 255, -0.5);
  test::expect_gradients_match_finite_differences(layer, {3, 3}, 2);
}

TEST(Rescaling, ScalesAndShifts) {
  Rescaling layer(0.5, 1.0);
  std::array x{0.f, 2.f, 255.f};
  std::array<float, 3> y{};
  layer.forward({}, {x.data(), 1, 3}, {y.data(), 1, 3}, {});
  EXPECT_EQ(y, (std::array{1.f, 2.f, 128.5f}));
}

TEST(Flatten, JoinsAllAxes) {
  Flatten layer;
  EXPECT_EQ(layer.build({28, 28, 3}), (Shape{2352}));
  EXPECT_TRUE(layer.passes_through());
}

TEST(Reshape, FindsTheUnknownExtent) {
  EXPECT_EQ(Reshape({-1, 4}).build({28}), (Shape{7, 4}));
  EXPECT_EQ(Reshape({2, 14}).build({28}), (Shape{2, 14}));
}

TEST(Reshape, RefusesAnotherNumberOfElements) {
  EXPECT_THROW(Reshape({5, 5}).build({28}), Error);
  EXPECT_THROW(Reshape({-1, 5}).build({28}), Error);
  EXPECT_THROW(Reshape({-1, -1}).build({28}), Error);
  EXPECT_THROW(Reshape({0, -1}).build({28}), Error);
}

TEST(InputLayer, RefusesAnotherShape) {
  InputLayer layer({784});
  EXPECT_THROW(layer.build({28, 28}), Error);
}

constexpr Pass kTraining{.training = true, .seed = 3, .step = 5, .first_row = 10};

std::vector<float> dropped_ones(double rate, const Pass& pass, std::int64_t rows,
                                std::int64_t columns) {
  Dropout layer(rate);
  layer.set_index(2);
  layer.build({columns});
  std::vector<float> x(static_cast<std::size_t>(rows * columns), 1.0f);
  std::vector<float> y(x.size());
  std::vector<float> kept(x.size());
  layer.forward(pass, {x.data(), rows, columns}, {y.data(), rows, columns}, kept);
  return y;
}

TEST(Dropout, BackwardMatchesFiniteDifferences) {
  Dropout layer(0.4);
  test::expect_gradients_match_finite_differences(layer, {11}, 4, kTraining);
}

TEST(Dropout, KeepsTheRightShareAndScalesIt) {
  const std::vector<float> y = dropped_ones(0.25, kTraining, 200, 101);
  std::size_t zeros = 0;
  for (const float v : y) {
    EXPECT_TRUE(v == 0.0f || v == static_cast<float>(1 / 0.75));
    zeros += v == 0.0f;
  }
  EXPECT_NEAR(static_cast<double>(zeros) / static_cast<double>(y.size()), 0.25, 0.01);
}

TEST(Dropout, MaskOfARowDependsOnItsPositionInTheGlobalBatchOnly) {
  constexpr std::int64_t kColumns = 13;
  const std::vector<float> whole = dropped_ones(0.5, kTraining, 6, kColumns);
  Pass later = kTraining;
  later.first_row += 4;
  const std::vector<float> tail = dropped_ones(0.5, later, 2, kColumns);
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(), whole.begin() + 4 * kColumns));
}

TEST(Dropout, MaskChangesWithStepAndSeed) {
  Pass other_step = kTraining, other_seed = kTraining;
  ++other_step.step;
  ++other_seed.seed;
  const auto mask = dropped_ones(0.5, kTraining, 4, 32);
  EXPECT_NE(mask, dropped_ones(0.5, other_step, 4, 32));
  EXPECT_NE(mask, dropped_ones(0.5, other_seed, 4, 32));
}

TEST(Dropout, IsTheIdentityInInferenceAndZeroAtRateOne) {
  EXPECT_EQ(dropped_ones(0.5, {}, 2, 5), std::vector<float>(10, 1.0f));
  EXPECT_EQ(dropped_ones(0.0, kTraining, 2, 5), std::vector<float>(10, 1.0f));
  EXPECT_EQ(dropped_ones(1.0, kTraining, 2, 5), std::vector<float>(10, 0.0f));
  EXPECT_THROW(Dropout(1.5), Error);
}

}  // namespace
}  // namespace lockstep
