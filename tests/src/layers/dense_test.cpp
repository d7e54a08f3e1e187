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

INSTANTIATE_TEST_SUITE_P(
    All, DenseActivations,
    ::testing::Values(Activation::kLinear, Activation::kRelu, Activation::kSigmoid,
                      Activation::kTanh, Activation::kSoftmax, Activation::kElu, Activation::kSelu,
                      Activation::kGelu, Activation::kSilu, Activation::kSoftplus,
                      Activation::kLeakyRelu),
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
  FloatBuffer gradients(arena.trainable_size());
  arena.use_gradients(gradients.span());
  std::ranges::fill(gradients.span(), 7.0f);
  std::array<float, 1> nothing{};

  const Range no_rows{};
  const Pass pass{.nodes = {.samples = {&no_rows, 1}}};
  dense.backward(pass, {nothing.data(), 0, 3}, {nothing.data(), 0, 2}, {nothing.data(), 0, 2}, {},
                 {});

  for (const Parameter& parameter : dense.parameters())
    for (const float g : parameter.gradient) EXPECT_EQ(g, 0.0f);
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

TEST(Dense, RefusesZeroUnits) { EXPECT_THROW(Dense(0), Error); }

}  // namespace
}  // namespace lockstep
