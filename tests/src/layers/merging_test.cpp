#include "src/layers/merging.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/layers/concatenate.hpp"
#include "src/layers/dot.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;
using testing::HasSubstr;

constexpr std::array kAll = {Merge::kAdd,     Merge::kSubtract, Merge::kMultiply,
                             Merge::kAverage, Merge::kMaximum,  Merge::kMinimum};

Floats random_floats(std::size_t count, std::uint32_t stream) {
  const RandomStream random(7, Purpose::kSynthetic, stream);
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

/// Outputs and all gradients.
Floats results(Layer& layer, const std::vector<Shape>& inputs, std::int64_t block_grains) {
  constexpr std::int64_t kRows = 7;
  test::LayerRun run(layer, inputs, kRows, {.training = true}, block_grains);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    run.x(i) = random_floats(run.x(i).size(), static_cast<std::uint32_t>(i));
  Floats all = run.forward();
  run.backward(random_floats(all.size(), 9));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    all.insert(all.end(), run.dx(i).begin(), run.dx(i).end());
  return all;
}

void expect_refused(Layer& layer, const std::vector<Shape>& inputs, const std::string& message) {
  layer.set_name("merge");
  expect_error(
      ExitCode::kBadData, [&] { test::LayerRun(layer, inputs, 1); },
      HasSubstr("[merge] " + message));
}

/// Of those that have a derivative everywhere.
TEST(Merging, BackwardMatchesFiniteDifferences) {
  for (const Merge merge : {Merge::kAdd, Merge::kSubtract, Merge::kMultiply, Merge::kAverage}) {
    SCOPED_TRACE(Merging(merge).class_name());
    Merging two(merge), repeated(merge), three(merge);
    test::expect_merged_gradients_match_finite_differences(two, {{7}, {7}}, 3);
    test::expect_merged_gradients_match_finite_differences(repeated, {{3, 1}, {2, 1, 5}}, 3);
    if (merge != Merge::kSubtract)
      test::expect_merged_gradients_match_finite_differences(three, {{5}, {1}, {2, 5}}, 3);
  }
}

TEST(Merging, MaximumAndMinimumPassTheGradientToTheInputThatTheyTook) {
  for (const Merge merge : {Merge::kMaximum, Merge::kMinimum}) {
    Merging layer(merge);
    test::LayerRun run(layer, {{37}, {37}, {37}}, 3);
    for (std::size_t i = 0; i < 3; ++i)
      run.x(i) = random_floats(run.x(i).size(), static_cast<std::uint32_t>(i));
    const Floats y = run.forward(), dy = random_floats(y.size(), 9);
    run.backward(dy);
    for (std::size_t k = 0; k < y.size(); ++k) {
      const std::array x = {run.x(0)[k], run.x(1)[k], run.x(2)[k]};
      EXPECT_EQ(y[k], merge == Merge::kMaximum ? std::ranges::max(x) : std::ranges::min(x));
      for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(run.dx(i)[k], x[i] == y[k] ? dy[k] : 0.0f);
    }
  }
}

TEST(Merging, BitsDoNotDependOnBlocks) {
  for (const Merge merge : kAll) {
    Merging in_blocks(merge), whole(merge);
    const std::vector<Shape> inputs = {{3, 1}, {2, 1, 5}};
    EXPECT_EQ(results(in_blocks, inputs, 1), results(whole, inputs, 0)) << whole.class_name();
  }
}

TEST(Merging, AddsFromLeftToRight) {
  Merging layer(Merge::kAdd);
  test::LayerRun run(layer, {{1}, {1}, {1}}, 1);
  run.x(0) = {1e8f};
  run.x(1) = {-1e8f};
  run.x(2) = {1.5f};
  EXPECT_EQ(run.forward(), Floats{1.5f});
  run.x(1) = {1.5f};
  run.x(2) = {-1e8f};
  EXPECT_EQ(run.forward(), Floats{0});
}

TEST(Merging, GradientsByARepeatedElementAreAddedInAscendingOrder) {
  Merging layer(Merge::kAdd);
  test::LayerRun run(layer, {{1, 1}, {2, 3}}, 1);
  run.backward({1e8f, 1.5f, -1e8f, 1, 1e8f, -1e8f});
  EXPECT_EQ(run.dx(0), Floats{0});  // ((((1e8 + 1.5) - 1e8) + 1) + 1e8) - 1e8
}

TEST(Merging, AverageIsTheSumTimesTheReciprocal) {
  Merging layer(Merge::kAverage);
  test::LayerRun run(layer, {{50}, {50}, {50}}, 2);
  for (std::size_t i = 0; i < 3; ++i)
    run.x(i) = random_floats(run.x(i).size(), static_cast<std::uint32_t>(i));
  const Floats y = run.forward();
  for (std::size_t i = 0; i < y.size(); ++i)
    EXPECT_EQ(y[i], ((run.x(0)[i] + run.x(1)[i]) + run.x(2)[i]) * (1.0f / 3));
}

TEST(Merging, OfEqualsTheFirstHasTheGradientAndNaNGoesOn) {
  const float nan = std::nanf("");
  for (const Merge merge : {Merge::kMaximum, Merge::kMinimum}) {
    Merging layer(merge);
    test::LayerRun run(layer, {{3}, {3}}, 1);
    run.x(0) = {2, nan, 2};
    run.x(1) = {2, 2, nan};
    const Floats y = run.forward();
    EXPECT_EQ(y[0], 2);
    EXPECT_TRUE(std::isnan(y[1]) && std::isnan(y[2]));
    run.backward({1, 1, 1});
    EXPECT_EQ(run.dx(0), (Floats{1, 0, 0}));
    EXPECT_EQ(run.dx(1), (Floats{0, 1, 1}));
  }
}

TEST(Merging, RefusesWhatDoesNotFit) {
  Merging add(Merge::kAdd), subtract(Merge::kSubtract), one(Merge::kMultiply);
  expect_refused(add, {{2, 3}, {2, 4}},
                 "expected inputs whose extents are equal or 1, got (None, 2, 3) and (None, 2, 4)");
  expect_refused(subtract, {{2}, {2}, {2}}, "expected exactly two inputs, got 3");
  expect_refused(one, {{2}}, "expected two inputs or more, got 1");
}

TEST(Concatenate, BackwardMatchesFiniteDifferences) {
  Concatenate last, first(1), middle(-2);
  test::expect_merged_gradients_match_finite_differences(last, {{3, 2}, {3, 5}, {3, 1}}, 3);
  test::expect_merged_gradients_match_finite_differences(first, {{3, 2}, {1, 2}}, 3);
  test::expect_merged_gradients_match_finite_differences(middle, {{2, 3, 2}, {2, 1, 2}}, 3);
}

TEST(Concatenate, BitsDoNotDependOnBlocks) {
  Concatenate in_blocks(1), whole(1);
  const std::vector<Shape> inputs = {{3, 5}, {2, 5}};
  EXPECT_EQ(results(in_blocks, inputs, 1), results(whole, inputs, 0));
}

TEST(Concatenate, RefusesWhatDoesNotFit) {
  Concatenate last, third(3), before_batch(-3), batch_from_behind(-2), ranks(1);
  expect_error(
      ExitCode::kBadData, [] { Concatenate batch(0); }, HasSubstr("got 0, the batch axis"));
  expect_refused(last, {{2, 3}, {4, 3}},
                 "expected inputs that differ in axis 2 alone, got (None, 2, 3) and (None, 4, 3)");
  expect_refused(ranks, {{2, 3}, {2}},
                 "expected inputs that differ in axis 1 alone, got (None, 2, 3) and (None, 2)");
  expect_refused(third, {{2, 3}, {2, 3}},
                 "expected an axis from 1 to 2 (or -2 to -1) of (None, 2, 3), got 3");
  expect_refused(before_batch, {{2}, {2}}, "expected an axis from 1 to 1");
  expect_refused(batch_from_behind, {{2}, {2}}, "expected an axis from 1 to 1");
}

TEST(Dot, BackwardMatchesFiniteDifferences) {
  for (const bool normalize : {false, true}) {
    Dot vectors({1, 1}, normalize), scores({2, 2}, normalize), columns({1, -1}, normalize),
        mixed({1, 2}, normalize);
    test::expect_merged_gradients_match_finite_differences(vectors, {{7}, {7}}, 3);
    test::expect_merged_gradients_match_finite_differences(scores, {{3, 5}, {2, 5}}, 3);
    test::expect_merged_gradients_match_finite_differences(columns, {{5, 2}, {3, 5}}, 3);
    test::expect_merged_gradients_match_finite_differences(mixed, {{5}, {3, 5}}, 3);
  }
}

TEST(Dot, BitsDoNotDependOnBlocks) {
  Dot in_blocks({1, 2}, true), whole({1, 2}, true);
  const std::vector<Shape> inputs = {{19, 2}, {3, 19}};
  EXPECT_EQ(results(in_blocks, inputs, 1), results(whole, inputs, 0));
}

TEST(Dot, IsOneChainOfFusedMultiplyAdds) {
  Dot layer({1, 1});
  test::LayerRun run(layer, {{37}, {37}}, 1);
  run.x(0) = random_floats(37, 1);
  run.x(1) = random_floats(37, 2);
  float chain = 0;
  for (std::size_t k = 0; k < 37; ++k) chain = std::fma(run.x(0)[k], run.x(1)[k], chain);
  EXPECT_EQ(run.forward(), Floats{chain});
}

TEST(Dot, CosineOfZeroIsZeroAndItsGradientIsFinite) {
  Dot layer({1, 1}, true);
  test::LayerRun run(layer, {{3}, {3}}, 1);
  run.x(0) = {0, 0, 0};
  run.x(1) = {3, 0, 4};
  EXPECT_EQ(run.forward(), Floats{0});
  run.backward({1});
  EXPECT_NEAR(run.dx(0)[0], 0.6e7, 1);  // Keras 3's
  EXPECT_EQ(run.dx(1), (Floats{0, 0, 0}));
  run.x(0) = {1e-8f, 0, 0};  // so short that its length does not count
  run.backward({1});
  EXPECT_NEAR(run.dx(0)[0], 0.6e7, 1);
}

TEST(Dot, RefusesWhatDoesNotFit) {
  Dot lengths({2, 1}), three({1, 1}), missing({1, 2});
  expect_error(
      ExitCode::kBadData,
      [] {
        Dot batch({1, 0});
      },
      HasSubstr("got 0, the batch axis"));
  expect_refused(lengths, {{2, 3}, {4, 3}},
                 "expected axis 2 of (None, 2, 3) to be as long as axis 1 of (None, 4, 3)");
  expect_refused(three, {{3}, {3}, {3}}, "expected exactly two inputs, got 3");
  expect_refused(missing, {{3}, {3}}, "expected an axis from 1 to 1");
}

TEST(Merging, ConfigsAreKeras2s) {
  EXPECT_EQ(Merging(Merge::kAdd).config().dump(), "{}");
  EXPECT_EQ(Concatenate(1).config().dump(), R"({"axis":1})");
  EXPECT_EQ(Dot({1, 1}).config().dump(), R"({"axes":1,"normalize":false})");
  EXPECT_EQ(Dot({1, -1}, true).config().dump(), R"({"axes":[1,-1],"normalize":true})");
}

}  // namespace
}  // namespace lockstep
