#include "distributed/update/gradient_ways.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "src/layers/activation_layer.hpp"
#include "src/layers/batch_normalization.hpp"
#include "src/layers/convolution.hpp"
#include "src/layers/convolution_transpose.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/recurrent.hpp"

namespace lockstep {
namespace {

constexpr auto kOwner = GradientWay::kOwner;
constexpr auto kRows = GradientWay::kRows;
constexpr std::array<int, 5> kHosts{1, 2, 8, 64, 128};

/// A layer, its input, and who computes its gradients on hosts of 1, 2, 8, 64 and 128 ranks.
struct Decision {
  std::string name;
  std::shared_ptr<Layer> layer;
  Shape input;
  std::int64_t rows;  ///< of the host
  bool of_each_rank;  ///< times the ranks
  std::array<GradientWay, 5> ways;
};

std::shared_ptr<Layer> dense(std::int64_t units) {
  return std::make_shared<Dense>(units);
}
std::shared_ptr<Layer> convolution(std::int64_t filters, std::int64_t size,
                                   std::int64_t stride = 1) {
  return std::make_shared<Convolution>(
      filters, Window::of("", {size, size}, {stride, stride}, {}, Padding::kSame));
}
std::shared_ptr<Layer> frozen(std::shared_ptr<Layer> layer) {
  layer->set_trainable(false);
  return layer;
}

std::vector<Decision> decisions() {
  const std::array all_rows{kRows, kRows, kRows, kRows, kRows};
  const std::array owners{kRows, kOwner, kOwner, kOwner, kOwner};
  return {
      // The reference program: a batch of 32 for all.
      {"784 x 64, batch 32", dense(64), {784}, 32, false, owners},
      // On many ranks with 32 rows each, all of dy by all ranks is more than the gradients.
      {"784 x 64, 32 rows a rank",
       dense(64),
       {784},
       32,
       true,
       {kRows, kOwner, kOwner, kRows, kRows}},
      {"64 x 10, batch 32", dense(10), {64}, 32, false, {kRows, kRows, kOwner, kOwner, kOwner}},
      {"64 x 10, 32 rows a rank", dense(10), {64}, 32, true, all_rows},
      {"4096 x 4096, batch 32", dense(4096), {4096}, 32, false, owners},
      {"4096 x 4096, 32 rows a rank", dense(4096), {4096}, 32, true, owners},
      {"4096 x 4096, 128 rows a rank",
       dense(4096),
       {4096},
       128,
       true,
       {kRows, kOwner, kOwner, kRows, kRows}},
      // Positions: an owner needs all columns.
      {"28 positions of 64 x 64, batch 32", dense(64), {28, 64}, 32, false, all_rows},
      {"28 positions of 64 x 64, 32 rows a rank", dense(64), {28, 64}, 32, true, all_rows},
      {"4 positions of 1024 x 16, batch 32", dense(16), {4, 1024}, 32, false, all_rows},
      {"28 positions of 1024 x 1024, batch 4", dense(1024), {28, 1024}, 4, false, owners},
      // What it keeps of 28 steps is more than its gradients.
      {"LSTM(128) of 28 x 28, batch 32",
       std::make_shared<Recurrent>(CellKind::kLstm, 128),
       {28, 28},
       32,
       false,
       all_rows},
      // Convolutions have many positions, but for the last ones of a deep network.
      {"3 x 3, 28 x 28 of 1 to 32, batch 32", convolution(32, 3), {28, 28, 1}, 32, false, all_rows},
      {"3 x 3, 14 x 14 of 32 to 64, batch 32",
       convolution(64, 3),
       {14, 14, 32},
       32,
       false,
       all_rows},
      {"3 x 3, 14 x 14 of 32 to 64, 32 rows a rank",
       convolution(64, 3),
       {14, 14, 32},
       32,
       true,
       all_rows},
      {"3 x 3, 7 x 7 of 64 to 128, batch 128",
       convolution(128, 3, 2),
       {7, 7, 64},
       128,
       false,
       all_rows},
      {"1 x 1, 7 x 7 of 256 to 64, batch 128",
       convolution(64, 1),
       {7, 7, 256},
       128,
       false,
       all_rows},
      {"transpose 4 x 4, 7 x 7 of 64 to 32, batch 32",
       std::make_shared<ConvolutionTranspose>(32,
                                              Window::of("", {4, 4}, {2, 2}, {}, Padding::kSame)),
       {7, 7, 64},
       32,
       false,
       all_rows},
      {"3 x 3, 2 x 2 of 512 to 512, batch 32", convolution(512, 3), {2, 2, 512}, 32, false, owners},
      {"3 x 3, 2 x 2 of 512 to 512, 32 rows a rank",
       convolution(512, 3),
       {2, 2, 512},
       32,
       true,
       {kRows, kOwner, kOwner, kRows, kRows}},
      {"batch norm", std::make_shared<BatchNormalization>(), {256}, 32, false, all_rows},
      {"nothing trained",
       std::make_shared<ActivationLayer>(Activation::kTanh),
       {64},
       32,
       false,
       all_rows},
      {"frozen", frozen(dense(4096)), {4096}, 32, false, all_rows},
  };
}

TEST(GradientWays, LetFewerFloatsCrossFromCoreToCore) {
  for (const Decision& decision : decisions()) {
    decision.layer->set_name("layer");
    Graph graph;
    const std::size_t input = graph.add_input(decision.input);
    graph.finish({decision.layer->apply(graph, {&input, 1})});
    for (std::size_t i = 0; i < kHosts.size(); ++i) {
      const std::int64_t rows = decision.rows * (decision.of_each_rank ? kHosts[i] : 1);
      const std::vector<GradientWay> ways = choose_gradient_ways(graph, kHosts[i], rows);
      ASSERT_EQ(ways.size(), graph.ops());
      EXPECT_EQ(ways.front(), decision.ways[i])
          << decision.name << " on a host of " << kHosts[i] << " ranks";
    }
  }
}

/// Sums over the batch before backward are no owner's to know, whatever the sizes say.
TEST(GradientWays, OfBatchNormAreByRowsInThePlanEvenIfTheSizesSayOtherwise) {
  BatchNormalization layer;
  layer.set_name("layer");
  Graph graph;
  const std::size_t input = graph.add_input({256});
  graph.finish({layer.apply(graph, {&input, 1})});
  const std::vector<GradientWay> ways = choose_gradient_ways(graph, 2, 1);
  EXPECT_EQ(ways.front(), kOwner);
  for (const TrainedParameter& trained : plan_gradients(graph, ways).parameters)
    EXPECT_EQ(trained.way, kRows);
}

/// One use by rows decides for all.
TEST(GradientWays, OfASharedParameterAreOne) {
  Dense layer(64);
  layer.set_name("layer");
  Graph graph;
  std::size_t value = graph.add_input({64});
  for (int use = 0; use < 2; ++use) value = layer.apply(graph, {&value, 1});
  graph.finish({value});
  const ParameterArena arena({&layer.parameters()[0], &layer.parameters()[1]});
  for (const TrainedParameter& trained : plan_gradients(graph, {kOwner, kRows}).parameters) {
    EXPECT_EQ(trained.way, kRows);
    EXPECT_EQ(trained.uses.size(), 2u);
  }
  for (const TrainedParameter& trained : plan_gradients(graph, {kOwner, kOwner}).parameters)
    EXPECT_EQ(trained.way, kOwner);
}

}  // namespace
}  // namespace lockstep
