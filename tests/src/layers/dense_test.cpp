#include "src/layers/dense.hpp"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"
#include "tests/support/finite_differences.hpp"

namespace lockstep {
namespace {

class DenseActivations : public ::testing::TestWithParam<Activation> {};

TEST_P(DenseActivations, BackwardMatchesFiniteDifferences) {
  Dense dense(5, GetParam());
  test::expect_gradients_match_finite_differences(dense, {7}, 3);
}

INSTANTIATE_TEST_SUITE_P(All, DenseActivations,
                         ::testing::Values(Activation::kLinear, Activation::kRelu,
                                           Activation::kSigmoid, Activation::kTanh,
                                           Activation::kSoftmax, Activation::kElu,
                                           Activation::kSelu, Activation::kGelu, Activation::kSilu,
                                           Activation::kSoftplus, Activation::kLeakyRelu),
                         [](const auto& info) { return activation_name(info.param); });

TEST(Dense, BackwardMatchesFiniteDifferencesOverTheLastAxisOfSequences) {
  Dense dense(3, Activation::kGelu);
  test::expect_gradients_match_finite_differences(dense, {4, 5}, 2);
}

TEST(Dense, BackwardMatchesFiniteDifferencesWithoutBias) {
  Dense dense(2, Activation::kTanh, {.use_bias = false});
  test::expect_gradients_match_finite_differences(dense, {1}, 9);
  EXPECT_EQ(dense.parameters().size(), 1u);
}

TEST(Dense, ComputesXTimesWPlusB) {
  Dense dense(2);
  dense.build({3});
  ParameterArena arena({&dense.parameters()[0], &dense.parameters()[1]});
  std::ranges::copy(std::array{1.f, 2.f, 3.f, 4.f, 5.f, 6.f}, dense.parameters()[0].value.begin());
  std::ranges::copy(std::array{10.f, 20.f}, dense.parameters()[1].value.begin());
  std::array x{1.f, 0.f, -1.f, 2.f, 1.f, 0.f};
  std::array<float, 4> y{};

  dense.forward({}, {x.data(), 2, 3}, {y.data(), 2, 2}, {});

  EXPECT_EQ(y, (std::array{6.f, 16.f, 15.f, 28.f}));
}

TEST(Dense, WithoutRowsGivesZeroGradients) {
  Dense dense(2, Activation::kRelu);
  dense.build({3});
  ParameterArena arena({&dense.parameters()[0], &dense.parameters()[1]});
  std::array<float, 1> nothing{};
  const Matrix x{nothing.data(), 0, 3}, y{nothing.data(), 0, 2};

  const Range no_rows{};
  const Pass pass{.subtrees = {.samples = {&no_rows, 1}}};
  dense.backward(pass, x, y, y, {}, {});
  std::vector<float> kernel(6, 7.0f), bias(2, 7.0f);
  dense.gradient(pass, x, y, 0, {0, 6}, kernel.data());
  dense.gradient(pass, x, y, 1, {0, 2}, bias.data());

  EXPECT_EQ(kernel, std::vector<float>(6));
  EXPECT_EQ(bias, std::vector<float>(2));
}

TEST(Dense, ReadsForSomeGradientsSomeColumnsOfItsInput) {
  Dense dense(4);
  dense.build({10});
  EXPECT_EQ(dense.gradient_columns(0, {0, 40}, 10), (Range{0, 10}));
  EXPECT_EQ(dense.gradient_columns(0, {7, 21}, 10), (Range{1, 6}));
  EXPECT_EQ(dense.gradient_columns(0, {8, 20}, 10), (Range{2, 5}));
  EXPECT_EQ(dense.gradient_columns(1, {0, 4}, 10), Range{});
  Dense at_each_position(4);
  at_each_position.build({3, 5});
  EXPECT_EQ(at_each_position.gradient_columns(0, {7, 8}, 15), (Range{0, 15}));
}

TEST(Dense, RefusesAnInputWithoutAxes) {
  Dense dense(2);
  dense.set_name("dense");
  try {
    dense.build({});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_STREQ(error.what(), "[dense] expected an input with a last axis, got (None,)");
  }
}

TEST(Dense, RefusesZeroUnits) {
  EXPECT_THROW(Dense(0), Error);
}

}  // namespace
}  // namespace lockstep
