#include "src/graph/training_pass.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <string>

#include "src/layers/activation_layer.hpp"
#include "src/layers/batch_normalization.hpp"
#include "src/layers/concatenate.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/merging.hpp"
#include "src/model/network.hpp"
#include "tests/support/graph_run.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;
using Calls = std::vector<Network::Call>;

Network built(Network model, Calls calls, const Shape& input) {
  const std::size_t last = calls.size() - 1;
  model.connect(std::move(calls), {last});
  model.build(input);
  model.initialize(3);
  return model;
}

/// Two branches that meet, a layer that is used three times, and two sums over the batch.
Network branched_network() {
  Network model("branched");
  model.add_layer(std::make_unique<Dense>(6, Activation::kRelu));  // 0
  model.add_layer(std::make_unique<Dense>(6, Activation::kTanh));  // 1
  model.add_layer(std::make_unique<Merging>(Merge::kAdd));         // 2
  model.add_layer(std::make_unique<BatchNormalization>());         // 3
  model.add_layer(std::make_unique<Dropout>(0.4));                 // 4
  model.add_layer(std::make_unique<Concatenate>());                // 5
  model.add_layer(std::make_unique<BatchNormalization>());         // 6
  model.add_layer(std::make_unique<Dense>(3));                     // 7
  return built(std::move(model),
               {{0, {}},
                {1, {0}},
                {2, {1, 0}},
                {3, {2}},
                {1, {3}},
                {4, {4}},
                {5, {5, 2}},
                {1, {5}},
                {5, {6, 7}},
                {6, {8}},
                {7, {9}}},
               {5});
}

/// Residual blocks; their first normalization is frozen, the second one's is shared.
Network residual_network() {
  Network model("residual");
  model.add_layer(std::make_unique<Dense>(7));                                   // 0
  model.add_layer(std::make_unique<BatchNormalization>()).set_trainable(false);  // 1
  model.add_layer(std::make_unique<BatchNormalization>());                       // 2
  model.add_layer(std::make_unique<ActivationLayer>(Activation::kRelu));         // 3
  model.add_layer(std::make_unique<Dense>(7));                                   // 4
  model.add_layer(std::make_unique<Merging>(Merge::kAdd));                       // 5
  return built(std::move(model),
               {{0, {}},
                {1, {0}},
                {3, {1}},
                {4, {2}},
                {5, {3, 0}},
                {2, {4}},
                {3, {5}},
                {4, {6}},
                {5, {7, 4}},
                {2, {8}}},
               {4});
}

/// Shared layers, and no sums over the batch: one phase.
Network plain_network() {
  Network model("plain");
  model.add_layer(std::make_unique<Dense>(5, Activation::kTanh));  // 0
  model.add_layer(std::make_unique<Dense>(5, Activation::kRelu));  // 1
  model.add_layer(std::make_unique<Merging>(Merge::kMultiply));    // 2
  model.add_layer(std::make_unique<Dropout>(0.3));                 // 3
  return built(std::move(model), {{0, {}}, {1, {0}}, {1, {1}}, {2, {2, 0}}, {3, {3}}, {1, {4}}},
               {5});
}

struct Rank {
  std::int64_t batch_rows, grain;
  Range grains;
};
/// One subtree, several of several sizes, a partial grain, and less than a grain.
constexpr Rank kRanks[] = {{32, 2, {0, 16}}, {31, 2, {3, 16}}, {37, 3, {0, 11}}, {3, 4, {0, 1}}};

struct Made {
  const char* name;
  Network (*make)();
};
void PrintTo(const Made& made, std::ostream* out) {
  *out << made.name;
}

/// The state, too, as another parameter's "gradient".
test::PassResults with_state(test::PassResults results, const Network& model) {
  Floats& state = results.gradients.emplace_back();
  for (const Parameter* parameter : model.arena().parameters())
    if (parameter->role == ParameterRole::kState)
      state.insert(state.end(), parameter->value.begin(), parameter->value.end());
  return results;
}

Pass pass_of(const Rank& rank) {
  return {.training = true,
          .seed = 5,
          .step = 2,
          .first_row = rank.grains.first * rank.grain,
          .batch_rows = rank.batch_rows,
          .writes_state = true};
}

class TrainingPasses : public testing::TestWithParam<Made> {};
INSTANTIATE_TEST_SUITE_P(Networks, TrainingPasses,
                         testing::Values(Made{"Branched", branched_network},
                                         Made{"Residual", residual_network},
                                         Made{"Plain", plain_network}),
                         [](const auto& made) { return made.param.name; });

TEST_P(TrainingPasses, GiveTheSameBitsInBlocksOfAnySize) {
  for (const Rank& rank : kRanks)
    for (const GradientWay way : {GradientWay::kRows, GradientWay::kOwner}) {
      const std::vector<Range> samples =
          test::subtree_rows(rank.batch_rows, rank.grain, rank.grains);
      const Subtrees subtrees{.samples = samples, .grain = rank.grain};
      const std::int64_t rows = samples.back().last;
      Network naive = GetParam().make();
      const test::Inputs inputs = test::inputs_of(naive.graph(), rows, 1);
      const Pass pass = pass_of(rank);
      const test::PassResults expected = with_state(
          test::naive_pass(naive.graph(), naive.graph().ops(), pass, subtrees, inputs), naive);
      for (const std::int64_t block : {0, 1, 2, 4, 8, 64}) {
        SCOPED_TRACE(std::to_string(rank.batch_rows) + " rows, blocks of " + std::to_string(block));
        Network model = GetParam().make();
        const std::size_t ops = model.graph().ops();
        test::PlannedPass planned(model.graph(), ops, rows, rank.grain,
                                  {.way = std::vector(ops, way), .block_grains = block});
        const test::PassResults results = planned.run(pass, subtrees, inputs);
        test::expect_same_bits(with_state(results, model), expected);
        if (block == 1) {
          EXPECT_EQ(planned.blocks, (rows + rank.grain - 1) / rank.grain);
        }
      }
    }
}

TEST_P(TrainingPasses, TellOfEveryOpOnceFromTheLastOneWhenItsGradientsAreThere) {
  const Rank rank = kRanks[1];
  const std::vector<Range> samples = test::subtree_rows(rank.batch_rows, rank.grain, rank.grains);
  ASSERT_GT(samples.size(), 1u);
  for (const std::int64_t block : {0, 1, 4}) {
    Network model = GetParam().make();
    const std::size_t ops = model.graph().ops();
    test::PlannedPass planned(model.graph(), ops, samples.back().last, rank.grain,
                              {.way = std::vector(ops, GradientWay::kRows), .block_grains = block});
    std::vector<std::size_t> done;
    const auto expect_gradients = [&](std::size_t op) {
      done.push_back(op);
      for (std::size_t i = 0; i < samples.size(); ++i)
        for (const TrainedParameter& trained : planned.gradients().parameters) {
          const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(i) *
                                                       planned.gradients().partial_floats +
                                                   trained.partial_at);
          const bool there = trained.uses.front().op >= op;
          // Blocks of a subtree add up in the first one's place, so that it shows nothing before.
          if (there || block == 0) {
            EXPECT_EQ(std::isnan(planned.partials()[at]), !there);
          }
        }
    };
    planned.run(pass_of(rank), {.samples = samples, .grain = rank.grain},
                test::inputs_of(model.graph(), samples.back().last, 1), expect_gradients);
    std::vector<std::size_t> expected(ops);
    std::iota(expected.rbegin(), expected.rend(), 0u);
    EXPECT_EQ(done, expected);
  }
}

TEST_P(TrainingPasses, ARankWithoutRowsTakesPartInAllExchanges) {
  const Rank rank = kRanks[0];
  const std::vector<Range> samples = test::subtree_rows(rank.batch_rows, rank.grain, rank.grains);
  Network model = GetParam().make();
  const std::size_t ops = model.graph().ops();
  for (const std::int64_t block : {0, 2}) {
    const test::PlannedPass::Options options{.way = std::vector(ops, GradientWay::kRows),
                                             .block_grains = block};
    test::PlannedPass with(model.graph(), ops, rank.batch_rows, rank.grain, options);
    const test::PassResults some =
        with.run(pass_of(rank), {.samples = samples, .grain = rank.grain},
                 test::inputs_of(model.graph(), rank.batch_rows, 1));
    for (const std::int64_t planned_rows : {0, 6}) {
      test::PlannedPass without(model.graph(), ops, planned_rows, rank.grain, options);
      std::vector<std::size_t> done;
      const test::PassResults none =
          without.run(pass_of(rank), {.samples = {}, .grain = rank.grain}, {},
                      [&](std::size_t op) { done.push_back(op); });
      ASSERT_EQ(none.sums.size(), some.sums.size());
      for (std::size_t i = 0; i < none.sums.size(); ++i)
        EXPECT_EQ(none.sums[i].size(), some.sums[i].size());
      EXPECT_TRUE(none.output.empty());
      EXPECT_EQ(done.size(), ops);
      EXPECT_TRUE(std::ranges::is_sorted(done, std::greater<>()));
    }
  }
}

TEST(TrainingPass, SharedNormalizationExchangesForEveryUse) {
  Network model = residual_network();
  const std::vector<Range> samples{{0, 4}};
  const std::size_t ops = model.graph().ops();
  test::PlannedPass planned(model.graph(), ops, 4, 4,
                            {.way = std::vector(ops, GradientWay::kRows)});
  const test::PassResults results =
      planned.run(pass_of({4, 4, {0, 1}}), {.samples = samples, .grain = 4},
                  test::inputs_of(model.graph(), 4, 1));
  EXPECT_EQ(results.sums.size(), 4u);  // two uses, forward and backward; none of the frozen one
}

// --- Parameters with several uses ---

/// y = x; the gradient of grain g by its parameter is gradients[g].
class ToldGradient final : public Op {
 public:
  ToldGradient(Parameter& parameter, Floats gradients, std::function<void()> meanwhile = {})
      : parameters_{&parameter},
        gradients_(std::move(gradients)),
        meanwhile_(std::move(meanwhile)) {}
  Needs needs() const override { return {}; }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass&, const OpValues& values) const override {
    copy_values(values.x(), values.y());
  }
  void backward(const Pass&, const OpValues& values) const override {
    if (!values.dx().empty()) copy_values(values.dy(), values.dx());
  }
  /// The input says which grain it is: of one, as shared parameters are asked for.
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override {
    const float grain = values.x().row(subtrees.samples[0].first)[0];
    std::fill_n(out, elements.count(), gradients_[static_cast<std::size_t>(grain)]);
    if (meanwhile_) meanwhile_();
  }

 private:
  std::vector<Parameter*> parameters_;
  Floats gradients_;
  std::function<void()> meanwhile_;
};

constexpr float kLarge = 1 << 24;  // kLarge + 1 is kLarge

/// Three uses: in a grain (u0 + u1) + u2, then grain by grain.
TEST(TrainingPass, AddsTheUsesOfAParameterGrainByGrainInTheOrderOfTheOps) {
  Parameter parameter{.name = "shared", .shape = {3}, .initializer = {}, .regularizer = {}};
  ParameterArena arena({&parameter});
  Graph graph;
  std::size_t value = graph.add_input({1});
  const Floats uses[] = {{kLarge, 1, 3, 1}, {1, 0, 5, 1}, {-kLarge, 0, 7, 0}};
  for (const Floats& gradients : uses)
    value = graph.add(std::make_unique<ToldGradient>(parameter, gradients), {value}, {1});
  graph.finish({value});
  // Grain 0: (L + 1) - L = 0; grain 1: 1. From the last use it would be 1 + 1, and use by use
  // ((L + 1) + 1) - L = 0.
  const test::Inputs inputs{{0, 0, 1, 1, 2, 2, 3}};
  const std::vector<Range> samples{{0, 4}, {4, 7}};
  for (const GradientWay way : {GradientWay::kRows, GradientWay::kOwner})
    for (const std::int64_t block : {0, 1, 2}) {
      test::PlannedPass planned(graph, 3, 7, 2,
                                {.way = std::vector(3, way), .block_grains = block});
      const test::PassResults results =
          planned.run({.training = true}, {.samples = samples, .grain = 2}, inputs);
      ASSERT_EQ(results.gradients.size(), 1u);
      EXPECT_EQ(results.gradients[0], (Floats{1, 1, 1, 17, 17, 17}));
    }
}

/// As buckets do that travel while a gradient is computed: see ProgressHook.
TEST(TrainingPass, GradientsByOwnersMayBeComputedAmidThoseByRows) {
  Parameter early{.name = "early", .shape = {3}, .initializer = {}, .regularizer = {}};
  Parameter late{.name = "late", .shape = {3}, .initializer = {}, .regularizer = {}};
  ParameterArena arena({&early, &late});
  TrainingPass* passes = nullptr;
  const std::vector<Range> samples{{0, 2}};
  const Subtrees subtrees{.samples = samples, .grain = 1};
  std::optional<Workspace> workspace;
  Floats owned(3);
  const auto compute_owned = [&] {
    passes->parameter_gradients().compute_owned(workspace->rows({0, 2}, 0), {.training = true},
                                                subtrees, {late.offset, late.offset + 3},
                                                owned.data());
  };
  Graph graph;
  std::size_t value = graph.add_input({1});
  for (Parameter* parameter : {&early, &early, &late, &late})
    value = graph.add(std::make_unique<ToldGradient>(
                          *parameter, parameter == &early ? Floats{1, 2} : Floats{100, 300},
                          parameter == &early ? compute_owned : std::function<void()>()),
                      {value}, {1});
  graph.finish({value});
  using enum GradientWay;
  const std::vector<GradientWay> way{kRows, kRows, kOwner, kOwner};
  const GradientPlan plan = plan_gradients(graph, way);
  workspace.emplace(graph, WorkspaceUse{.training = true, .ops = 4, .way = way, .rows = {2, 2, 2}});
  TrainingPass pass(graph, *workspace, plan, 0, 2);
  passes = &pass;
  std::ranges::copy(Floats{0, 1}, workspace->input({0, 2}).data);
  Floats partial(static_cast<std::size_t>(plan.partial_floats));
  pass.run({.training = true}, subtrees, {partial.data(), plan.partial_floats},
           [&](const Block&) {
             std::ranges::fill(workspace->output_gradient({0, 2}).flat(), 1.f);
           },
           {});
  EXPECT_EQ(Floats(partial.begin(), partial.begin() + 3), (Floats{6, 6, 6}));
  EXPECT_EQ(owned, (Floats{800, 800, 800}));
}

// --- Blocks ---

std::vector<Block> blocks_of(const std::vector<Range>& samples, std::int64_t grain,
                             std::int64_t block_grains) {
  std::vector<Block> blocks;
  cut_into_blocks({.samples = samples, .grain = grain}, block_grains, blocks);
  return blocks;
}

MATCHER_P5(IsBlock, rows, first_subtree, subtrees, piece, pieces, "") {
  return arg.rows == rows && arg.first_subtree == static_cast<std::size_t>(first_subtree) &&
         arg.subtrees == static_cast<std::size_t>(subtrees) && arg.piece == piece &&
         arg.pieces == pieces;
}

TEST(CutIntoBlocks, CutsSubtreesIntoPiecesAndPutsSmallOnesTogether) {
  using testing::ElementsAre;
  const std::vector<Range> samples{{0, 2}, {2, 10}, {10, 14}, {14, 16}, {16, 17}};  // grains of 2
  EXPECT_THAT(blocks_of(samples, 2, 0), ElementsAre(IsBlock(Range{0, 17}, 0, 5, 0, 1)));
  EXPECT_THAT(blocks_of(samples, 2, 2),
              ElementsAre(IsBlock(Range{0, 2}, 0, 1, 0, 1), IsBlock(Range{2, 6}, 1, 1, 0, 2),
                          IsBlock(Range{6, 10}, 1, 1, 1, 2), IsBlock(Range{10, 14}, 2, 1, 0, 1),
                          IsBlock(Range{14, 17}, 3, 2, 0, 1)));
  EXPECT_THAT(blocks_of(samples, 2, 4),
              ElementsAre(IsBlock(Range{0, 2}, 0, 1, 0, 1), IsBlock(Range{2, 10}, 1, 1, 0, 1),
                          IsBlock(Range{10, 17}, 2, 3, 0, 1)));
  EXPECT_TRUE(blocks_of({}, 2, 4).empty());
}

TEST(CutIntoBlocks, CoversAllRowsInOrderWithinTheSize) {
  for (const std::int64_t grains : {1, 2, 3, 5, 8, 13, 16, 31})
    for (std::int64_t first = 0; first < grains; ++first)
      for (const std::int64_t size : {1, 2, 4, 8, 32}) {
        constexpr std::int64_t kGrain = 3;
        const std::vector<Range> samples =
            test::subtree_rows(grains * kGrain - 1, kGrain, {first, grains});
        std::int64_t row = 0;
        std::size_t subtree = 0;
        for (const Block& block : blocks_of(samples, kGrain, size)) {
          EXPECT_EQ(block.rows.first, row);
          EXPECT_GT(block.rows.count(), 0);
          EXPECT_LE(block.rows.count(), size * kGrain);
          row = block.rows.last;
          EXPECT_EQ(block.first_subtree, subtree);
          if (block.pieces > 1) {
            EXPECT_EQ(block.subtrees, 1u);
            // All but the last piece are subtrees of `size` grains.
            if (block.piece + 1 < block.pieces) {
              EXPECT_EQ(block.rows.count(), size * kGrain);
            }
          }
          if (block.piece + 1 == block.pieces) subtree += block.subtrees;
        }
        EXPECT_EQ(row, samples.back().last);
        EXPECT_EQ(subtree, samples.size());
      }
}

}  // namespace
}  // namespace lockstep
