#include "src/layers/arranging.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

void expect_refused(Layer& layer, const Shape& input, const std::string& message) {
  layer.set_name("layer");
  expect_error(
      ExitCode::kBadData, [&] { test::LayerRun(layer, {input}, 1); }, HasSubstr(message));
}

TEST(Permute, BackwardMatchesFiniteDifferences) {
  for (const Shape& dims : {Shape{1, 2, 3}, Shape{2, 1, 3}, Shape{3, 1, 2}, Shape{3, 2, 1}}) {
    SCOPED_TRACE(to_string(dims));
    Permute layer(dims);
    test::expect_gradients_match_finite_differences(layer, {3, 2, 5}, 3);
  }
}

TEST(Permute, AxesAreTakenFromWhereDimsSay) {
  Permute layer({3, 1, 2});
  test::LayerRun run(layer, {{2, 3, 4}}, 2, {}, 1);
  EXPECT_EQ(run.output_shape(), (Shape{4, 2, 3}));
  std::iota(run.x().begin(), run.x().end(), 0.0f);
  const std::vector<float> y = run.forward();
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t a = 0; a < 2; ++a)
      for (std::size_t b = 0; b < 3; ++b)
        for (std::size_t c = 0; c < 4; ++c)
          EXPECT_EQ(y[row * 24 + (c * 2 + a) * 3 + b], run.x()[row * 24 + (a * 3 + b) * 4 + c]);
}

TEST(Permute, IsTakenBackByItsInverseAlone) {
  Permute layer({2, 3, 1}), inverse({3, 1, 2});
  Graph graph;
  const auto apply = [&](Layer& one, std::size_t value) { return one.apply(graph, {&value, 1}); };
  const std::size_t input = graph.add_input({2, 3, 4});
  const std::size_t once = apply(layer, input), twice = apply(layer, once);
  EXPECT_EQ(graph.shape(twice), (Shape{4, 2, 3}));
  EXPECT_EQ(graph.ops(), 2u);
  EXPECT_EQ(apply(inverse, once), input);
  EXPECT_EQ(apply(inverse, twice), once);
  EXPECT_EQ(graph.ops(), 2u);
  // A mask ends at the first one, and does not come back.
  const std::size_t masked = graph.add_input({2, 3, 4});
  graph.set_mask(masked, graph.add_input({2, 3}));
  EXPECT_FALSE(graph.mask(apply(inverse, apply(layer, masked))));
}

TEST(Permute, OfAnAxisOfOnePositionMovesNothing) {
  Permute layer({2, 3, 1});
  Graph graph;
  const std::size_t input = graph.add_input({1, 3, 4});
  EXPECT_EQ(graph.shape(layer.apply(graph, {&input, 1})), (Shape{3, 4, 1}));
  EXPECT_EQ(graph.ops(), 0u);
}

TEST(Permute, RefusesWhatIsNoPermutation) {
  for (const Shape& dims : {Shape{1, 1}, Shape{2, 3}, Shape{0, 1}})
    expect_error(
        ExitCode::kBadData, [&] { Permute layer(dims); },
        HasSubstr("expected each of the axes 1 to 2 once"));
  Permute layer({2, 1});
  expect_refused(layer, {4}, "expected an input of as many axes as (2, 1) beside the batch, got");
  EXPECT_EQ(layer.config().dump(), R"({"dims":[2,1]})");
}

TEST(RepeatVector, BackwardMatchesFiniteDifferences) {
  RepeatVector layer(3);
  test::expect_gradients_match_finite_differences(layer, {5}, 3);
}

TEST(RepeatVector, GradientsAreAddedInAscendingOrder) {
  RepeatVector layer(3);
  test::LayerRun run(layer, {{2}}, 1);
  EXPECT_EQ(run.output_shape(), (Shape{3, 2}));
  run.backward({1e8f, 1, 1.5f, 2, -1e8f, 3});
  EXPECT_EQ(run.dx(), (std::vector<float>{0, 6}));
}

TEST(RepeatVector, RefusesWhatIsNoVector) {
  RepeatVector layer(3);
  expect_refused(layer, {2, 4}, "[layer] expected input (None, features), got (None, 2, 4)");
  EXPECT_THROW(RepeatVector(0), Error);
  EXPECT_EQ(layer.config().dump(), R"({"n":3})");
}

}  // namespace
}  // namespace lockstep
