#include "src/layers/dense.hpp"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_run.hpp"

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
  test::LayerRun run(dense, {{3}}, 2, {});
  std::ranges::copy(std::array{1.f, 2.f, 3.f, 4.f, 5.f, 6.f}, dense.parameters()[0].value.begin());
  std::ranges::copy(std::array{10.f, 20.f}, dense.parameters()[1].value.begin());
  run.x() = {1.f, 0.f, -1.f, 2.f, 1.f, 0.f};
  EXPECT_EQ(run.forward(), (std::vector{6.f, 16.f, 15.f, 28.f}));
}

/// The op that the layer adds for an input of this shape.
const Op& op_of(Dense& dense, Graph& graph, const Shape& input) {
  const std::size_t value = graph.add_input(input);
  dense.apply(graph, {&value, 1});
  return *graph.steps().back().op;
}

TEST(Dense, WithoutRowsGivesZeroGradients) {
  Dense dense(2, Activation::kRelu);
  Graph graph;
  const Op& op = op_of(dense, graph, {3});
  ParameterArena arena({&dense.parameters()[0], &dense.parameters()[1]});
  std::array<float, 1> nothing{};
  OpPlaces places{.x = {{nothing.data(), 3}},
                  .dx = {{}},
                  .y = {nothing.data(), 2},
                  .dy = {nothing.data(), 2},
                  .kept = {},
                  .forward_sums = {},
                  .backward_sums = {}};
  const Rows rows{};
  const Range no_rows{};
  const Subtrees subtrees{.samples = {&no_rows, 1}};
  op.backward({}, {places, rows});
  std::vector<float> kernel(6, 7.0f), bias(2, 7.0f);
  op.gradient({}, {places, rows}, subtrees, 0, {0, 6}, kernel.data());
  op.gradient({}, {places, rows}, subtrees, 1, {0, 2}, bias.data());

  EXPECT_EQ(kernel, std::vector<float>(6));
  EXPECT_EQ(bias, std::vector<float>(2));
}

TEST(Dense, ReadsForSomeGradientsSomeColumnsOfItsInput) {
  Dense dense(4);
  Graph graph;
  const Op& op = op_of(dense, graph, {10});
  EXPECT_EQ(op.gradient_columns(0, {0, 40}, 10), (Range{0, 10}));
  EXPECT_EQ(op.gradient_columns(0, {7, 21}, 10), (Range{1, 6}));
  EXPECT_EQ(op.gradient_columns(0, {8, 20}, 10), (Range{2, 5}));
  EXPECT_EQ(op.gradient_columns(1, {0, 4}, 10), Range{});
  Dense at_each_position(4);
  EXPECT_EQ(op_of(at_each_position, graph, {3, 5}).gradient_columns(0, {7, 8}, 15), (Range{0, 15}));
}

TEST(Dense, RefusesAnInputWithoutAxes) {
  Dense dense(2);
  dense.set_name("dense");
  Graph graph;
  const std::size_t value = graph.add_input({});
  try {
    dense.apply(graph, {&value, 1});
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
