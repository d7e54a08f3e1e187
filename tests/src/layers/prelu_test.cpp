#include "src/layers/prelu.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;

PRelu shared(Shape axes) {
  return PRelu({.shared_axes = std::move(axes)});
}

TEST(PRelu, BackwardMatchesFiniteDifferences) {
  for (const Shape& axes : {Shape{}, Shape{1}, Shape{2}, Shape{3}, Shape{1, 2}, Shape{1, 3},
                            Shape{2, 3}, Shape{1, 2, 3}}) {
    SCOPED_TRACE(to_string(axes));
    PRelu layer = shared(axes);
    test::expect_gradients_match_finite_differences(layer, {3, 2, 5}, 5);
  }
}

TEST(PRelu, AlphaHasASamplesShapeWithOneForSharedAxes) {
  PRelu layer = shared({1, 3});
  test::LayerRun run(layer, {{3, 2, 5}}, 1);
  ASSERT_EQ(layer.parameters().size(), 1u);
  EXPECT_EQ(layer.parameters()[0].name, "alpha");
  EXPECT_EQ(layer.parameters()[0].shape, (Shape{1, 2, 1}));
}

TEST(PRelu, GradientAtZeroIsZero) {
  PRelu layer = shared({});
  test::LayerRun run(layer, {{4}}, 1);
  std::ranges::fill(layer.parameters()[0].value, 0.5f);
  run.x() = {0.0f, -0.0f, -3, 3};
  run.backward({1, 1, 1, 1});
  EXPECT_EQ(run.dx(), (Floats{0, 0, 0.5f, 1}));
  EXPECT_EQ(run.gradient(0), (Floats{0, 0, -3, 0}));
}

/// Two rows are a grain; grains are added by the tree.
TEST(PRelu, GradientsBitsAreOneChainAGrainAndDoNotDependOnBlocks) {
  constexpr std::int64_t kRows = 7;
  const Shape input{3, 2, 5};
  for (const Shape& axes : {Shape{}, Shape{2}, Shape{1, 3}}) {
    SCOPED_TRACE(to_string(axes));
    PRelu layer = shared(axes), in_blocks = shared(axes);
    test::LayerRun run(layer, {input}, kRows),
        run_in_blocks(in_blocks, {input}, kRows, {.training = true}, 1);
    const RandomStream random(7, Purpose::kSynthetic, 1);
    for (std::size_t i = 0; i < run.x().size(); ++i)
      run.x()[i] = run_in_blocks.x()[i] = 2 * random.uniform(i) - 1;
    Floats dy(run.x().size());
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = random.uniform(1000 + i);
    run.backward(dy);
    run_in_blocks.backward(dy);
    EXPECT_EQ(run.gradient(0), run_in_blocks.gradient(0));
    EXPECT_EQ(run.dx(), run_in_blocks.dx());

    const Shape alpha = layer.parameters()[0].shape;
    std::vector<Floats> grains(4, Floats(run.gradient(0).size(), 0));
    for (std::size_t i = 0; i < dy.size(); ++i) {
      const std::size_t row = i / 30, a = i % 30 / 10, b = i % 10 / 5, c = i % 5;
      const std::size_t element =
          ((alpha[0] == 1 ? 0 : a) * static_cast<std::size_t>(alpha[1]) + (alpha[1] == 1 ? 0 : b)) *
              static_cast<std::size_t>(alpha[2]) +
          (alpha[2] == 1 ? 0 : c);
      if (run.x()[i] < 0) grains[row / 2][element] += run.x()[i] * dy[i];
    }
    Floats expected(grains[0].size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = (grains[0][i] + grains[1][i]) + (grains[2][i] + grains[3][i]);
    EXPECT_EQ(run.gradient(0), expected);
  }
}

TEST(PRelu, FrozenAlphaHasNoGradient) {
  PRelu layer = shared({});
  layer.set_trainable(false);
  test::expect_gradients_match_finite_differences(layer, {5}, 3);
}

TEST(PRelu, RefusesAxesThatAreNotThereAndAnotherShapeOfInput) {
  PRelu layer = shared({3});
  layer.set_name("prelu");
  expect_error(
      ExitCode::kBadData,
      [&] {
        test::LayerRun(layer, {{2, 5}}, 1);
      },
      testing::HasSubstr("[prelu] expected shared axes from 1 to 2 of (None, 2, 5), got 3"));
  PRelu twice = shared({});
  twice.set_name("prelu");
  Graph graph;
  const std::size_t first = graph.add_input({3}), second = graph.add_input({4});
  twice.apply(graph, {&first, 1});
  expect_error(
      ExitCode::kBadData,
      [&] {
        twice.apply(graph, {&second, 1});
      },
      testing::HasSubstr("[prelu] expected an input (None, 3), got (None, 4)"));
}

TEST(PRelu, ConfigIsKeras2s) {
  EXPECT_EQ(shared({1, 2}).config().dump(),
            R"({"alpha_initializer":{"class_name":"Zeros","config":{}},"alpha_regularizer":null,)"
            R"("alpha_constraint":null,"shared_axes":[1,2]})");
  EXPECT_TRUE(shared({}).config()["shared_axes"].is_null());
}

}  // namespace
}  // namespace lockstep
