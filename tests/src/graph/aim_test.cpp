#include "src/graph/aim.hpp"

#include <gmock/gmock.h>

#include "src/graph/gradient_plan.hpp"
#include "src/layers/concatenate.hpp"
#include "src/layers/dense.hpp"

namespace lockstep {
namespace {

using testing::ElementsAre;

/// first(x) and first(second(x)), joined.
struct Fork {
  Fork() {
    const std::size_t x = graph.add_input({3});
    const auto call = [&](Layer& layer, std::vector<std::size_t> inputs) {
      return layer.apply(graph, inputs);
    };
    left = call(first, {x});
    right = call(second, {x});
    again = call(first, {right});
    joined = call(join, {left, again});
    graph.finish({joined});
    std::vector<Parameter*> all;
    for (Dense* layer : {&first, &second})
      for (Parameter& parameter : layer->parameters()) all.push_back(&parameter);
    arena = ParameterArena(all);
  }
  Dense first{3}, second{3};
  Concatenate join{-1};
  Graph graph;
  ParameterArena arena;
  std::size_t left, right, again, joined;
};

std::vector<const Parameter*> parameters_of(const Layer& layer) {
  return {&layer.parameters()[0], &layer.parameters()[1]};
}

TEST(Aim, IsTheWholeGraphUnlessItSaysOtherwise) {
  const Fork fork;
  const Aim aim;
  EXPECT_EQ(aim.output(fork.graph), fork.joined);
  EXPECT_THAT(aim.runs(fork.graph), ElementsAre(true, true, true, true));
  EXPECT_EQ(aim.ops(fork.graph), 4u);
  EXPECT_TRUE(aim.trains(fork.first.parameters()[0]));
}

TEST(Aim, RunsWhatItsOutputDependsOnAndNoMore) {
  const Fork fork;
  const Aim aim(fork.right, parameters_of(fork.second));
  EXPECT_THAT(aim.runs(fork.graph), ElementsAre(false, true, false, false));
  EXPECT_EQ(aim.ops(fork.graph), 2u);
  const Aim both(fork.again, parameters_of(fork.first));
  EXPECT_THAT(both.runs(fork.graph), ElementsAre(false, true, true, false));
}

TEST(Aim, CountsTheUsesThatRunOnly) {
  const Fork fork;
  const Aim aim(fork.again, parameters_of(fork.first));
  const GradientPlan plan = plan_gradients(fork.graph, GradientWay::kRows, aim);
  ASSERT_EQ(plan.parameters.size(), 2u);
  for (const TrainedParameter& trained : plan.parameters) {
    ASSERT_EQ(trained.uses.size(), 1u);
    EXPECT_EQ(trained.uses[0].op, 2u);
  }
}

TEST(Aim, NeedsGradientsBehindWhatItTrains) {
  const Fork fork;
  const Aim behind(fork.joined, parameters_of(fork.first));
  std::vector<bool> needs = behind.needs_gradient(fork.graph);
  EXPECT_TRUE(needs[fork.left]);
  EXPECT_FALSE(needs[fork.right]);
  EXPECT_TRUE(needs[fork.again]);
  EXPECT_TRUE(needs[fork.joined]);
  const Aim through(fork.joined, parameters_of(fork.second));
  needs = through.needs_gradient(fork.graph);
  EXPECT_FALSE(needs[fork.left]);
  EXPECT_TRUE(needs[fork.right]);
  EXPECT_TRUE(needs[fork.again]) << "a constant, but through it the gradient passes";
}

TEST(Aim, TrainsNoFrozenParameter) {
  Fork fork;
  fork.first.parameters()[1].role = ParameterRole::kFrozen;
  const Aim aim(fork.joined, parameters_of(fork.first));
  EXPECT_TRUE(aim.trains(fork.first.parameters()[0]));
  EXPECT_FALSE(aim.trains(fork.first.parameters()[1]));
  EXPECT_FALSE(aim.trains(fork.second.parameters()[0]));
}

}  // namespace
}  // namespace lockstep
