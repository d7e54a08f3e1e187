#include "src/layers/batch_normalization.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"
#include "src/graph/gradient_plan.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using ::testing::HasSubstr;
using Floats = std::vector<float>;

/// More channels than go together, and an odd number of them.
constexpr std::int64_t kMany = 67;

BatchNormalization::Options without(bool scale, bool center) {
  BatchNormalization::Options options;
  options.scale = scale;
  options.center = center;
  return options;
}

TEST(BatchNormalization, GradientsGoThroughTheStatistics) {
  for (const Shape& input : {Shape{3}, Shape{2, 1, 3}, Shape{1}, Shape{kMany}}) {
    BatchNormalization layer;
    test::expect_gradients_match_finite_differences(layer, input, 5);
  }
  for (const bool scale : {false, true}) {
    BatchNormalization layer(without(scale, !scale));
    test::expect_gradients_match_finite_differences(layer, {2, 3}, 4);
  }
  BatchNormalization bare(without(false, false));
  test::expect_gradients_match_finite_differences(bare, {3}, 4);
}

TEST(BatchNormalization, GradientsOfAFrozenLayerAreThoseOfInference) {
  BatchNormalization layer;
  layer.set_trainable(false);
  test::expect_gradients_match_finite_differences(layer, {kMany}, 3);
}

Floats value(const Layer& layer, std::size_t parameter) {
  const auto& values = layer.parameters()[parameter].value;
  return {values.begin(), values.end()};
}

TEST(BatchNormalization, IsTrainedWithItsMovingStatisticsWhenCalledForInference) {
  BatchNormalization layer;
  test::expect_gradients_match_finite_differences(
      layer, {kMany}, 3, {.training = true, .writes_state = true}, /*inference=*/true);
  test::LayerRun run(layer, {{kMany}}, 3, {.training = true, .writes_state = true}, 0, true);
  const Floats mean = value(layer, 2), variance = value(layer, 3);
  run.forward();
  EXPECT_EQ(value(layer, 2), mean);
  EXPECT_EQ(value(layer, 3), variance);
}

TEST(BatchNormalization, MayNotBeCalledInBothWays) {
  BatchNormalization layer;
  Graph graph;
  const std::size_t value = graph.add_input({3});
  layer.apply(graph, {&value, 1});
  graph.set_inference(true);
  EXPECT_THROW(layer.apply(graph, {&value, 1}), Error);
}

TEST(BatchNormalization, GivesTheSameBitsInBlocks) {
  test::expect_the_same_bits_in_blocks("BatchNormalization", nlohmann::ordered_json::object(),
                                       {{3, kMany}});
  test::expect_the_same_bits_in_blocks("BatchNormalization", {{"trainable", false}}, {{kMany}});
}

void fill_weights(BatchNormalization& layer, std::array<Floats, 4> weights) {
  for (std::size_t i = 0; i < 4; ++i)
    std::ranges::copy(weights[i], layer.parameters()[i].value.begin());
}
const std::array<Floats, 4> kNewWeights{Floats{1, 1}, {0, 0}, {0, 0}, {1, 1}};

// Keras 3.15 and tf_keras 2.21, by the same inputs.
TEST(BatchNormalization, MovesItsStatisticsAsKerasDoes) {
  BatchNormalization::Options options;
  options.momentum = 0.9;
  BatchNormalization layer(options);
  test::LayerRun run(layer, {{2}}, 4, {.training = true, .writes_state = true});
  fill_weights(layer, kNewWeights);
  for (const float step : {0.f, 1.f, 2.f}) {
    run.x() = {1, -2, 2, 5, 3, 1, 4 + step, step};
    run.forward();
  }
  const Floats mean = value(layer, 2), variance = value(layer, 3);
  EXPECT_NEAR(mean[0], 0.75, 1e-6);
  EXPECT_NEAR(mean[1], 0.34350002, 1e-6);
  EXPECT_NEAR(variance[0], 1.377125, 2e-6);
  EXPECT_NEAR(variance[1], 2.4373748, 3e-6);
}

TEST(BatchNormalization, LeavesTheStateToTheRankThatWritesIt) {
  BatchNormalization layer;
  test::LayerRun run(layer, {{2}}, 4, {.training = true});
  fill_weights(layer, kNewWeights);
  run.x() = {1, 2, 3, 4, 5, 6, 7, 8};
  run.forward();
  EXPECT_EQ(value(layer, 2), kNewWeights[2]);
  EXPECT_EQ(value(layer, 3), kNewWeights[3]);
}

TEST(BatchNormalization, UsesTheMovingStatisticsInInferenceAndWhenItIsFrozen) {
  for (const bool frozen : {false, true}) {
    BatchNormalization layer;
    layer.set_trainable(!frozen);
    test::LayerRun run(layer, {{2}}, 2, {.training = frozen, .writes_state = true});
    const std::array<Floats, 4> weights{Floats{2, 1}, {1, 0}, {1, -1}, {3.999f, 0.249f}};
    fill_weights(layer, weights);
    run.x() = {3, 0, 1, -1};
    const Floats y = run.forward();
    EXPECT_NEAR(y[0], 3, 1e-6);
    EXPECT_NEAR(y[1], 2, 1e-6);
    EXPECT_NEAR(y[2], 1, 1e-6);
    EXPECT_NEAR(y[3], 0, 1e-6);
    EXPECT_EQ(value(layer, 2), weights[2]);
    EXPECT_EQ(value(layer, 3), weights[3]);
  }
}

TEST(BatchNormalization, AFrozenLayerSumsNothingOverTheBatch) {
  for (const bool trainable : {false, true}) {
    BatchNormalization layer;
    layer.set_trainable(trainable);
    Graph graph;
    const std::size_t input = graph.add_input({5});
    layer.apply(graph, {&input, 1});
    const Needs needs = graph.steps().front().op->needs();
    EXPECT_EQ(needs.forward_sums, trainable ? 10u : 0u);
    EXPECT_EQ(needs.backward_sums, trainable ? 10u : 0u);
    EXPECT_EQ(Aim().needs_gradient(graph).back(), trainable);
  }
}

TEST(BatchNormalization, CountsItsGradientsForTheSubtreeOfTheFirstRow) {
  BatchNormalization layer;
  Graph graph;
  const std::size_t input = graph.add_input({2});
  graph.finish({layer.apply(graph, {&input, 1})});
  // Owners of other ranks' rows would not know the sums.
  for (const TrainedParameter& parameter : plan_gradients(graph, GradientWay::kOwner).parameters)
    EXPECT_EQ(parameter.way, GradientWay::kRows);

  std::array<double, 4> sums{1, -2, 3, -0.0};  // of dy, then of dy xhat
  OpPlaces places;
  places.backward_sums = sums;
  const std::array<Range, 2> samples{Range{0, 2}, Range{2, 5}};
  const Subtrees subtrees{.samples = samples, .grain = 2, .stride = 2};
  for (const std::int64_t batch_row : {0, 5}) {
    const Rows rows{.range = {0, 5}, .first = {}, .batch_row = batch_row};
    Floats gamma(4, 7), beta(4, 7);
    graph.steps()[0].op->gradient({}, {places, rows}, subtrees, 0, {0, 2}, gamma.data());
    graph.steps()[0].op->gradient({}, {places, rows}, subtrees, 1, {0, 2}, beta.data());
    EXPECT_EQ(gamma, batch_row == 0 ? (Floats{3, 0, 0, 0}) : Floats(4));
    EXPECT_EQ(beta, batch_row == 0 ? (Floats{1, -2, 0, 0}) : Floats(4));
    EXPECT_FALSE(std::signbit(gamma[1]));
  }
}

/// y and dx of a channel in double, two passes.
void expect_numbers_of_a_channel(const test::LayerRun& run, const Floats& x, const Floats& y,
                                 const Floats& dy, double tolerance) {
  const auto n = static_cast<double>(x.size());
  double mean = 0, variance = 0, mean_dy = 0, mean_product = 0;
  for (const float v : x) mean += static_cast<double>(v) / n;
  for (const float v : x) variance += std::pow(static_cast<double>(v) - mean, 2) / n;
  const double inverse = 1 / std::sqrt(variance + 1e-10);
  const auto xhat = [&](std::size_t i) { return (static_cast<double>(x[i]) - mean) * inverse; };
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_dy += static_cast<double>(dy[i]) / n;
    mean_product += static_cast<double>(dy[i]) * xhat(i) / n;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(y[i], xhat(i), tolerance);
    const double dx = inverse * (static_cast<double>(dy[i]) - mean_dy - xhat(i) * mean_product);
    EXPECT_NEAR(run.dx()[i], dx, tolerance * inverse);
  }
}

TEST(BatchNormalization, KeepsItsDigitsFarFromZero) {
  BatchNormalization::Options options = without(false, false);
  options.epsilon = 1e-10;
  BatchNormalization layer(options);
  constexpr std::int64_t kRows = 61;
  test::LayerRun run(layer, {{1}}, kRows);
  Floats dy;
  for (std::size_t i = 0; i < kRows; ++i) {
    run.x()[i] = 1e4f + 0.004f * static_cast<float>(i * i % 7);
    dy.push_back(std::cos(static_cast<float>(3 * i)));
  }
  const Floats y = run.forward();
  run.backward(dy);
  expect_numbers_of_a_channel(run, run.x(), y, dy, 1e-3);
}

TEST(BatchNormalization, NormalizesAConstantChannelToBeta) {
  constexpr std::int64_t kChannels = 50;
  BatchNormalization layer(without(false, true));
  test::LayerRun run(layer, {{kChannels}}, 1001);
  for (float& beta : layer.parameters()[0].value) beta = -2;
  // Sums of squares whose rounding would make some variances negative.
  for (std::size_t i = 0; i < run.x().size(); ++i)
    run.x()[i] = 9999991.0f + 2 * static_cast<float>(i % kChannels);
  for (const float y : run.forward()) EXPECT_NEAR(y, -2, 1e-5);
}

TEST(BatchNormalization, LetsANaNThrough) {
  BatchNormalization layer;
  test::LayerRun run(layer, {{2}}, 2);
  fill_weights(layer, kNewWeights);
  run.x() = {1, std::nanf(""), 2, 3};
  const Floats y = run.forward();
  EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[2]));
  EXPECT_TRUE(std::isnan(y[1]) && std::isnan(y[3]));
}

/// Two uses of one layer, one behind the other.
class Twice final : public Layer {
 public:
  std::string class_name() const override { return "Twice"; }
  nlohmann::ordered_json config() const override { return {}; }
  ParameterList parameters() override { return inner_.parameters(); }

 private:
  void build(const Shape&) override { inner_.set_name("inner"); }
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    std::size_t value = inner_.apply(graph, inputs);
    return inner_.apply(graph, {&value, 1});
  }
  BatchNormalization inner_;
};

TEST(BatchNormalization, MayBeUsedTwice) {
  Twice layer;
  test::expect_gradients_match_finite_differences(layer, {3}, 5);
}

/// A use as in inference in a training pass: Keras's call with training=False.
class InInference final : public Layer {
 public:
  std::string class_name() const override { return "InInference"; }
  nlohmann::ordered_json config() const override { return {}; }
  ParameterList parameters() override { return inner_.parameters(); }

 private:
  void build(const Shape&) override { inner_.set_name("inner"); }
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    graph.set_inference(true);
    const std::size_t value = inner_.apply(graph, inputs);
    graph.set_inference(false);
    return value;
  }
  BatchNormalization inner_;
};

TEST(BatchNormalization, CalledForInferenceTrainsGammaAndBetaWithTheMovingStatistics) {
  InInference layer;
  test::expect_gradients_match_finite_differences(layer, {2, 3}, 5);
  InInference other;
  test::LayerRun run(other, {{2}}, 2, {.training = true, .writes_state = true});
  const std::array<Floats, 4> weights{Floats{2, 1}, {1, 0}, {1, -1}, {3.999f, 0.249f}};
  for (std::size_t i = 0; i < 4; ++i)
    std::ranges::copy(weights[i], other.parameters()[i].value.begin());
  run.x() = {3, 0, 1, -1};
  const Floats y = run.forward();
  EXPECT_NEAR(y[0], 3, 1e-6);
  EXPECT_NEAR(y[1], 2, 1e-6);
  EXPECT_EQ(value(other, 2), weights[2]);
  EXPECT_EQ(value(other, 3), weights[3]);
}

TEST(BatchNormalization, RefusesWhatItLacksByName) {
  const auto refusal = [](const nlohmann::ordered_json& config, const Shape& input = {4, 3}) {
    return test::refusal_of("BatchNormalization", config, input);
  };
  EXPECT_EQ(refusal({{"axis", -1}}), "");
  EXPECT_EQ(refusal({{"axis", {2}}}), "");
  EXPECT_EQ(refusal({{"renorm", false}, {"synchronized", true}, {"fused", true}}), "");
  EXPECT_EQ(refusal({{"axis", 1}}), "");  // as channels_first
  EXPECT_THAT(refusal({{"axis", 2}}, {4, 3, 2}),
              HasSubstr("the last axes, such as [-1], of (None, 4, 3, 2)"));
  EXPECT_THAT(refusal({{"axis", {1, 2}}}), HasSubstr("axis: expected one axis, the last"));
  EXPECT_THAT(refusal({{"axis", 0}}), HasSubstr("0 is the batch, got 0"));
  EXPECT_THAT(refusal({{"axis", "last"}}), HasSubstr("got 'last'"));
  EXPECT_THAT(refusal({{"momentum", 1.5}}), HasSubstr("momentum: expected a number from 0 to 1"));
  EXPECT_THAT(refusal({{"epsilon", -1}}), HasSubstr("epsilon: expected a number of at least 0"));
  EXPECT_THAT(refusal({{"renorm", true}}), HasSubstr("renorm: expected false, got true"));
  EXPECT_THAT(refusal({{"gamma_constraint", {{"class_name", "RadialConstraint"}}}}),
              HasSubstr("RadialConstraint"));
  EXPECT_THAT(refusal({{"virtual_batch_size", 8}}), HasSubstr("virtual_batch_size"));
  EXPECT_THAT(refusal({{"eps", 0.1}}), HasSubstr("eps: expected no such key"));
  EXPECT_THAT(refusal(nlohmann::ordered_json::object(), {}),
              HasSubstr("expected an input with a last axis, got (None,)"));
}

TEST(BatchNormalization, WritesWhatItRead) {
  const auto layer = test::layer_of("BatchNormalization",
                                    {{"axis", {2}}, {"momentum", 0.5}, {"beta_regularizer", "l2"}});
  const auto config = layer->config();
  EXPECT_EQ(test::layer_of("BatchNormalization", config)->config(), config);
  EXPECT_EQ(config["axis"], 2);  // Keras 3 refuses a list
  std::vector<std::string> keys;
  for (const auto& [key, _] : config.items()) keys.push_back(key);
  EXPECT_THAT(keys, ::testing::ElementsAre("axis", "momentum", "epsilon", "center", "scale",
                                           "beta_initializer", "gamma_initializer",
                                           "moving_mean_initializer", "moving_variance_initializer",
                                           "beta_regularizer", "gamma_regularizer",
                                           "beta_constraint", "gamma_constraint"));
}

}  // namespace
}  // namespace lockstep
