#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/core/error.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/rescaling.hpp"
#include "src/layers/reshaping.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_run.hpp"

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

// Keras 3.15, at -3, -1.2, -0.3, 0.4, 2 and 7.
TEST(Activation, HasTheValuesOfKeras3ByEveryName) {
  const std::map<std::string, std::vector<double>> expected = {
      {"celu", {-0.950213, -0.698806, -0.259182, 0.4, 2, 7}},
      {"exponential", {0.049787, 0.301194, 0.740818, 1.491825, 7.389056, 1096.633179}},
      {"hard_shrink", {-3, -1.2, 0, 0, 2, 7}},
      {"hard_sigmoid", {0, 0.3, 0.45, 0.566667, 0.833333, 1}},
      {"hard_silu", {0, -0.36, -0.135, 0.226667, 1.666667, 7}},
      {"hard_swish", {0, -0.36, -0.135, 0.226667, 1.666667, 7}},
      {"hard_tanh", {-1, -1, -0.3, 0.4, 1, 1}},
      {"log_sigmoid", {-3.048587, -1.463282, -0.854355, -0.513015, -0.126928, -0.000911}},
      {"mish", {-0.145647, -0.308836, -0.151133, 0.289031, 1.943959, 6.999989}},
      {"relu6", {0, 0, 0, 0.4, 2, 6}},
      {"soft_shrink", {-2.5, -0.7, 0, 0, 1.5, 6.5}},
      {"softsign", {-0.75, -0.545455, -0.230769, 0.285714, 0.666667, 0.875}},
      {"sparse_plus", {0, 0, 0.1225, 0.49, 2, 7}},
      {"sparse_sigmoid", {0, 0, 0.35, 0.7, 1, 1}},
      {"squareplus", {0.302776, 0.56619, 0.861187, 1.219804, 2.414214, 7.140054}},
      {"tanh_shrink", {-2.004945, -0.366345, -0.008687, 0.020051, 1.035972, 6.000002}},
  };
  const std::array inputs{-3.0f, -1.2f, -0.3f, 0.4f, 2.0f, 7.0f};
  for (const auto& [name, values] : expected)
    for (std::size_t i = 0; i < inputs.size(); ++i)
      EXPECT_NEAR(activated(activation_from_name(name), inputs[i]), values[i],
                  1e-6 * std::max(1.0, values[i]))
          << name << " of " << inputs[i];
}

TEST(Activation, HardSigmoidIsAnotherFunctionInKeras2) {
  const Activation of_keras2 = activation_from_name("hard_sigmoid", KerasMajor::k2);
  EXPECT_NEAR(activated(of_keras2, 1), 0.7, 1e-6);
  EXPECT_NEAR(activated(activation_from_name("hard_sigmoid"), 1), 2.0 / 3, 1e-6);
  EXPECT_EQ(activation_name(of_keras2), "hard_sigmoid");
}

TEST(Activation, LogSoftmaxIsTheLogarithmOfSoftmax) {
  std::array z{1000.f, 1001.f, 999.f};
  activate(Activation::kLogSoftmax, {z.data(), 1, 3});
  EXPECT_NEAR(z[1], std::log(0.66524096), 1e-6);
  EXPECT_NEAR(z[0], z[1] - 1, 1e-4);
}

/// Every activation, with constants that are not the default ones where it has some.
std::vector<ActivationFunction> all_functions() {
  std::vector<ActivationFunction> all;
  for (std::size_t i = 0; i < kActivations; ++i) all.emplace_back(static_cast<Activation>(i));
  all.push_back(
      {Activation::kClippedRelu, {.alpha = 0.25f, .max_value = 0.75f, .threshold = 0.25f}});
  all.push_back({Activation::kLeakyRelu, {.alpha = 0.3f}});
  all.push_back({Activation::kElu, {.alpha = 0.5f}});
  return all;
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
  for (const ActivationFunction& function : all_functions()) {
    SCOPED_TRACE(static_cast<int>(function.kind));
    ActivationLayer layer("Activation", function);
    test::expect_gradients_match_finite_differences(layer, {3, 5}, 2);
  }
}

TEST(ActivationLayer, ReluHasKerasSettings) {
  ActivationLayer layer(
      "ReLU", {Activation::kClippedRelu, {.alpha = 0.1f, .max_value = 1.5f, .threshold = 0.2f}});
  test::LayerRun run(layer, {{5}}, 1, {});
  run.x() = {-1.f, 0.1f, 0.2f, 1.f, 7.f};
  const std::vector<float> y = run.forward();
  const std::array expected{-0.12f, -0.01f, 0.f, 1.f, 1.5f};
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6f);
  EXPECT_EQ(layer.config().dump(), R"({"max_value":1.5,"negative_slope":0.1,"threshold":0.2})");
}

TEST(ActivationLayer, SoftmaxHasTheLastAxisOnly) {
  ActivationLayer last("Softmax", Activation::kSoftmax, 2);
  EXPECT_EQ(test::LayerRun(last, {{4, 3}}, 1).output_shape(), (Shape{4, 3}));
  ActivationLayer other("Softmax", Activation::kSoftmax, 1);
  EXPECT_THROW(test::LayerRun(other, {{4, 3}}, 1), Error);
}

TEST(Rescaling, BackwardMatchesFiniteDifferences) {
  Rescaling layer(1.0 / 255, -0.5);
  test::expect_gradients_match_finite_differences(layer, {3, 3}, 2);
}

TEST(Rescaling, ScalesAndShifts) {
  Rescaling layer(0.5, 1.0);
  test::LayerRun run(layer, {{3}}, 1, {});
  run.x() = {0.f, 2.f, 255.f};
  EXPECT_EQ(run.forward(), (std::vector{1.f, 2.f, 128.5f}));
}

TEST(Flatten, JoinsAllAxes) {
  Flatten layer;
  EXPECT_EQ(layer.reshaped({28, 28, 3}), (Shape{2352}));
  EXPECT_TRUE(layer.passes_through());
}

TEST(Reshape, FindsTheUnknownExtent) {
  EXPECT_EQ(Reshape({-1, 4}).reshaped({28}), (Shape{7, 4}));
  EXPECT_EQ(Reshape({2, 14}).reshaped({28}), (Shape{2, 14}));
}

TEST(Reshape, RefusesAnotherNumberOfElements) {
  EXPECT_THROW(Reshape({5, 5}).reshaped({28}), Error);
  EXPECT_THROW(Reshape({-1, 5}).reshaped({28}), Error);
  EXPECT_THROW(Reshape({-1, -1}).reshaped({28}), Error);
  EXPECT_THROW(Reshape({0, -1}).reshaped({28}), Error);
}

TEST(InputLayer, RefusesAnotherShape) {
  InputLayer layer({784});
  EXPECT_THROW(layer.reshaped({28, 28}), Error);
}

constexpr Pass kTraining{.training = true, .seed = 3, .step = 5, .first_row = 10};

std::vector<float> dropped_ones(double rate, const Pass& pass, std::int64_t rows,
                                std::int64_t columns) {
  Dropout layer(rate);
  layer.set_index(2);
  test::LayerRun run(layer, {{columns}}, rows, pass);
  std::ranges::fill(run.x(), 1.0f);
  return run.forward();
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
