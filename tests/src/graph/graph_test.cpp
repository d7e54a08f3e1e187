#include "src/graph/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/graph/aim.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/merging.hpp"
#include "src/layers/rescaling.hpp"
#include "tests/support/random_graph.hpp"

namespace lockstep {
namespace {

using testing::ElementsAre;

std::size_t apply(Graph& graph, Layer& layer, std::vector<std::size_t> inputs) {
  if (layer.name().empty()) layer.set_name(layer.class_name());
  return layer.apply(graph, inputs);
}

MATCHER_P2(ReaderIs, op, input, "") {
  return arg.op == static_cast<std::size_t>(op) && arg.input == static_cast<std::size_t>(input);
}

TEST(Graph, LeavesARescalingThatAloneReadsTheInputToWhoeverFillsItIn) {
  Graph graph;
  Rescaling rescaling(0.5, 2);
  Dense dense(3);
  const std::size_t input = graph.add_input({4});
  const std::size_t scaled = apply(graph, rescaling, {input});
  graph.finish({apply(graph, dense, {scaled})});
  EXPECT_EQ(graph.input_scaling().scale, 0.5f);
  EXPECT_EQ(graph.input_scaling().offset, 2.0f);
  EXPECT_EQ(graph.ops(), 1u);
  EXPECT_EQ(graph.storage(scaled), input);
  EXPECT_EQ(graph.storage(graph.steps()[0].inputs[0]), input);
}

TEST(Graph, LeavesARescalingBehindAReshapeToo) {
  Graph graph;
  Rescaling rescaling(0.5);
  Dense dense(3);
  const std::size_t input = graph.add_input({2, 2});
  const std::size_t flat = graph.reshape(input, {4});
  const std::size_t scaled = apply(graph, rescaling, {flat});
  const std::size_t other_shape = graph.reshape(scaled, {4, 1});
  graph.finish({apply(graph, dense, {other_shape})});
  EXPECT_EQ(graph.ops(), 1u);
  EXPECT_EQ(graph.input_scaling().scale, 0.5f);
  EXPECT_EQ(graph.storage(other_shape), input);
  EXPECT_EQ(graph.shape(other_shape), (Shape{4, 1}));
}

TEST(Graph, KeepsARescalingBesideAnotherReaderOfTheInput) {
  Graph graph;
  Rescaling rescaling(0.5);
  Merging add(Merge::kAdd);
  const std::size_t input = graph.add_input({4});
  const std::size_t scaled = apply(graph, rescaling, {input});
  graph.finish({apply(graph, add, {scaled, input})});
  EXPECT_TRUE(graph.input_scaling().changes_nothing());
  EXPECT_EQ(graph.ops(), 2u);
  EXPECT_NE(graph.storage(scaled), input);
}

TEST(Graph, KeepsARescalingThatTheInputDoesNotReachFirst) {
  Graph graph;
  ActivationLayer relu(Activation::kRelu);
  Rescaling rescaling(0.5);
  const std::size_t input = graph.add_input({4});
  graph.finish({apply(graph, rescaling, {apply(graph, relu, {input})})});
  EXPECT_TRUE(graph.input_scaling().changes_nothing());
  EXPECT_EQ(graph.ops(), 2u);
}

TEST(Graph, KeepsARescalingOfOneOfSeveralInputs) {
  Graph graph;
  Rescaling rescaling(0.5);
  Merging add(Merge::kAdd);
  const std::size_t a = graph.add_input({4}), b = graph.add_input({4});
  graph.finish({apply(graph, add, {apply(graph, rescaling, {a}), b})});
  EXPECT_TRUE(graph.input_scaling().changes_nothing());
  EXPECT_EQ(graph.ops(), 2u);
}

TEST(Graph, ValuesBehindATrainedParameterNeedGradients) {
  Graph graph;
  ActivationLayer relu(Activation::kRelu);
  Dense frozen(4), trained(4);
  frozen.set_trainable(false);
  Merging add(Merge::kAdd);
  const std::size_t input = graph.add_input({4});
  const std::size_t activated = apply(graph, relu, {input});
  const std::size_t before = apply(graph, frozen, {activated});
  const std::size_t first = apply(graph, trained, {before});
  const std::size_t reshaped = graph.reshape(first, {1, 4});
  const std::size_t back = graph.reshape(reshaped, {4});
  const std::size_t behind = apply(graph, frozen, {back});
  const std::size_t sum = apply(graph, add, {before, behind});
  graph.finish({sum});
  const std::vector<bool> needs = Aim().needs_gradient(graph);
  for (const std::size_t v : {input, activated, before}) EXPECT_FALSE(needs[v]) << v;
  for (const std::size_t v : {first, behind, sum}) EXPECT_TRUE(needs[v]) << v;
}

TEST(Graph, CountsReadersByMemoryAndOncePerPlace) {
  Graph graph;
  const std::size_t input = graph.add_input({4});
  const auto add = [&](std::vector<std::size_t> inputs) {
    return graph.add(std::make_unique<test::MixOp>(Needs{}, nullptr), std::move(inputs), {4});
  };
  const std::size_t a = add({input});
  const std::size_t other_shape = graph.reshape(a, {2, 2});
  const std::size_t b = add({a, a});
  const std::size_t c = add({b, other_shape, input});
  graph.finish({c});
  const auto readers = graph.readers();
  EXPECT_THAT(readers[input], ElementsAre(ReaderIs(0, 0), ReaderIs(2, 2)));
  EXPECT_THAT(readers[a], ElementsAre(ReaderIs(1, 0), ReaderIs(1, 1), ReaderIs(2, 1)));
  EXPECT_THAT(readers[b], ElementsAre(ReaderIs(2, 0)));
  EXPECT_TRUE(readers[c].empty());
  EXPECT_TRUE(readers[other_shape].empty());
}

}  // namespace
}  // namespace lockstep
