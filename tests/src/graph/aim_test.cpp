#include "src/graph/aim.hpp"

#include <gmock/gmock.h>

#include "src/graph/gradient_plan.hpp"
#include "src/layers/concatenate.hpp"
#include "src/layers/dense.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/transfer.hpp"

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

/// The sample shape of what comes once of every row; none: nothing does.
std::optional<Shape> front_of(const std::string& layers, const std::string& frozen) {
  const Network network =
      transfer(model_from_layers_text(layers), {.freeze = {frozen}, .unfreeze = {}, .head = {}}, 0)
          .network;
  const auto value = frozen_front(network.graph(), Aim());
  return value ? std::optional(network.graph().shape(*value)) : std::nullopt;
}

TEST(FrozenFront, EndsBeforeWhatTrainingChanges) {
  EXPECT_EQ(front_of("Input((3,)), Dense(4, relu), Dense(5), Dense(2)", "dense"), (Shape{4}));
  EXPECT_EQ(front_of("Input((3,)), Dense(4, relu), Dense(5), Dense(2)", "dense_[1x]"),
            std::nullopt);
  const char* const kDrops = "Input((3,)), Dense(4), Dropout(0.5), Dense(5), Dense(2)";
  EXPECT_EQ(front_of(kDrops, "d*[!2]"), (Shape{4}));
  const char* const kNormalizes = "Input((3,)), Dense(4), BatchNormalization(), Dense(5), Dense(2)";
  EXPECT_EQ(front_of(kNormalizes, "[!d]*"), std::nullopt);
  EXPECT_EQ(front_of(kNormalizes, "dense"), (Shape{4}));
  EXPECT_EQ(front_of(kNormalizes, "*[!2]"), (Shape{5}));
}

TEST(FrozenFront, IsNoneWhereNothingIsTrained) {
  EXPECT_EQ(front_of("Input((3,)), Dense(4, relu), Dense(2, softmax)", "*"), std::nullopt);
}

TEST(FrozenFront, HasWeightsThatAreNoTable) {
  EXPECT_EQ(front_of("Input((3,)), ReLU(), Dense(4)", "re_lu"), std::nullopt);
  EXPECT_EQ(front_of("Input((3,)), Embedding(7, 2), Flatten(), Dense(4)", "embedding"),
            std::nullopt);
  EXPECT_EQ(front_of("Input((3,)), Embedding(7, 2), LSTM(5), Dense(4)", "[el]*"), (Shape{5}));
  // The mask is read behind it.
  EXPECT_EQ(front_of("Input((3,)), Embedding(7, 2, mask_zero=True), Dense(5), LSTM(4)", "[ed]*"),
            std::nullopt);
}

TEST(FrozenFront, IsReadAloneByWhatComesBehind) {
  Fork fork;
  for (Parameter& parameter : fork.second.parameters()) parameter.role = ParameterRole::kFrozen;
  EXPECT_EQ(frozen_front(fork.graph, Aim()), std::nullopt);  // left reads the input, too
  EXPECT_EQ(frozen_front(fork.graph, Aim(fork.again, parameters_of(fork.first))), fork.right);
  Aim behind(fork.again, parameters_of(fork.first));
  behind.begin_at(fork.right);
  EXPECT_THAT(behind.runs(fork.graph), ElementsAre(false, false, true, false));
  EXPECT_THAT(behind.inputs(fork.graph), ElementsAre(fork.right));
}

}  // namespace
}  // namespace lockstep
