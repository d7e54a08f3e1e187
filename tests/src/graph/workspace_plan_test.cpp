#include "src/graph/workspace_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "src/core/float_buffer.hpp"
#include "src/layers/dense.hpp"
#include "src/model/sequential.hpp"
#include "tests/support/graph_run.hpp"
#include "tests/support/random_graph.hpp"

namespace lockstep {
namespace {

using test::Draw;
using test::RandomGraph;
using Buffer = WorkspacePlan::Buffer;

constexpr auto kRank = static_cast<std::size_t>(Scope::kRank);

std::vector<GradientWay> random_ways(const Graph& graph, Draw& draw) {
  std::vector<GradientWay> ways;
  for (std::size_t op = 0; op < graph.ops(); ++op)
    ways.push_back(draw.chance(2) ? GradientWay::kOwner : GradientWay::kRows);
  return ways;
}

/// Training or inference, one block or several, shared or not; on a rank with rows or without.
WorkspaceUse random_use(const RandomGraph& random, Draw& draw) {
  const bool training = !draw.chance(4);
  const std::int64_t rows = draw.below(30);
  const std::int64_t block = draw.chance(2) ? rows : std::min<std::int64_t>(rows, 4);
  return {.training = training,
          .ops = training ? random.ops : random.graph.ops(),
          .way = training ? random_ways(random.graph, draw) : std::vector<GradientWay>{},
          .rows = {rows + draw.below(60), rows, training ? block : rows},
          .shared = draw.chance(2)};
}

std::int64_t floats_of(const Buffer& buffer, const WorkspaceUse& use) {
  return FloatBuffer::padded(use.rows[static_cast<std::size_t>(buffer.scope)] * buffer.columns);
}

/// Which buffers ops that work in place may have made one.
class MayBeOne {
 public:
  MayBeOne(const Graph& graph, const WorkspaceUse& use, const WorkspacePlan& plan)
      : parent_(plan.buffers.size()) {
    std::iota(parent_.begin(), parent_.end(), 0);
    for (std::size_t op = 0; op < graph.ops(); ++op) {
      const Needs needs = graph.steps()[op].op->needs();
      const auto& buffers = plan.ops[op];
      if (needs.forward_in_place) join(buffers.x[0], buffers.y);
      if (use.training && needs.backward_in_place) join(buffers.dy, buffers.dx[0]);
    }
    if (use.ops < graph.ops()) join(plan.last_value, plan.output);
  }
  bool operator()(std::size_t a, std::size_t b) const { return root(a) == root(b); }

 private:
  std::size_t root(std::size_t i) const { return parent_[i] == i ? i : root(parent_[i]); }
  void join(int a, int b) {
    if (a != WorkspacePlan::kNone && b != WorkspacePlan::kNone)
      parent_[root(static_cast<std::size_t>(a))] = root(static_cast<std::size_t>(b));
  }
  std::vector<std::size_t> parent_;
};

bool is_one(const Buffer& a, const Buffer& b) {
  return a.scope == b.scope && a.offset == b.offset && a.columns == b.columns &&
         a.first == b.first && a.last == b.last;
}

bool collide(const Buffer& a, const Buffer& b, const WorkspaceUse& use) {
  return a.scope == b.scope && a.first <= b.last && b.first <= a.last &&
         a.offset < b.offset + floats_of(b, use) && b.offset < a.offset + floats_of(a, use);
}

void expect_a_place_for_every_live_buffer(const RandomGraph& random, const WorkspaceUse& use) {
  const WorkspacePlan plan = plan_workspace(random.graph, use);
  const MayBeOne may_be_one(random.graph, use, plan);
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < plan.buffers.size(); ++i)
    if (plan.buffers[i].columns > 0) used.push_back(i);
  for (const std::size_t i : used) {
    const Buffer& buffer = plan.buffers[i];
    EXPECT_EQ(buffer.offset % FloatBuffer::kAlignment, 0);
    EXPECT_GE(buffer.offset, 0);
    EXPECT_LE(buffer.offset + floats_of(buffer, use),
              plan.floats[static_cast<std::size_t>(buffer.scope)]);
    for (const std::size_t other : used)
      if (other < i && collide(buffer, plan.buffers[other], use)) {
        EXPECT_TRUE(is_one(buffer, plan.buffers[other]) && may_be_one(i, other))
            << "buffers " << other << " and " << i;
      }
  }
}

TEST(WorkspacePlan, NoTwoLiveBuffersOverlapUnlessTheyAreOne) {
  for (std::uint64_t seed = 0; seed < 2000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomGraph random(seed, seed % 2 == 0);
    Draw draw(1000 + seed);
    for (int i = 0; i < 8; ++i)
      expect_a_place_for_every_live_buffer(random, random_use(random, draw));
  }
}

/// What is used at which time must be alive then: an op's buffers in forward, what backward and
/// gradients read in backward.
TEST(WorkspacePlan, BuffersLiveAsLongAsTheyAreRead) {
  for (std::uint64_t seed = 0; seed < 500 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomGraph random(seed, false);
    Draw draw(2000 + seed);
    const WorkspaceUse use{.training = true,
                           .ops = random.ops,
                           .way = random_ways(random.graph, draw),
                           .rows = {9, 9, 9}};
    const WorkspacePlan plan = plan_workspace(random.graph, use);
    const auto expect_alive = [&](int buffer, std::size_t time) {
      if (buffer == WorkspacePlan::kNone) return;
      const Buffer& found = plan.buffers[static_cast<std::size_t>(buffer)];
      EXPECT_LE(found.first, static_cast<int>(time));
      EXPECT_GE(found.last, static_cast<int>(time));
    };
    for (std::size_t op = 0; op < use.ops; ++op) {
      const auto& buffers = plan.ops[op];
      const Needs needs = random.graph.steps()[op].op->needs();
      const std::size_t backward = 2 * use.ops - op;
      for (const int x : buffers.x) {
        expect_alive(x, op);
        if (plan.backward[op] && needs.backward_reads_x) expect_alive(x, backward);
      }
      expect_alive(buffers.y, op);
      expect_alive(buffers.kept, op);
      if (!plan.backward[op]) continue;
      if (needs.backward_reads_y) expect_alive(buffers.y, backward);
      for (const int buffer : {buffers.kept, buffers.dy}) expect_alive(buffer, backward);
      for (const int dx : buffers.dx) expect_alive(dx, backward);
    }
    for (const TrainedParameter& trained : plan_gradients(random.graph, use.way).parameters)
      for (const auto& [op, number] : trained.uses) {
        const bool by_rows = trained.way == GradientWay::kRows;
        const std::size_t time = by_rows ? 2 * use.ops - trained.uses.front().op : 2 * use.ops + 1;
        for (const int x : plan.ops[op].x) expect_alive(x, time);
        for (const int buffer : {plan.ops[op].dy, plan.ops[op].kept}) expect_alive(buffer, time);
        if (random.graph.steps()[op].op->needs().gradient_reads_y)
          expect_alive(plan.ops[op].y, time);
      }
    for (const int buffer : {plan.last_value, plan.output, plan.output_gradient})
      expect_alive(buffer, use.ops);
  }
}

struct Rank {
  std::int64_t batch_rows, grain;
  Range grains;
};

/// Steps of the planned pass, several in the same memory, against naive ones.
void expect_naive_results(const RandomGraph& random, const Rank& rank,
                          const test::PlannedPass::Options& options) {
  const std::vector<Range> samples = test::subtree_rows(rank.batch_rows, rank.grain, rank.grains);
  const Subtrees subtrees{.samples = samples, .grain = rank.grain};
  const std::int64_t rows = samples.back().last;
  test::PlannedPass planned(random.graph, random.ops, rows, rank.grain, options);
  for (std::uint64_t step = 0; step < 2; ++step) {
    const Pass pass{.training = true,
                    .step = static_cast<std::int64_t>(step),
                    .first_row = rank.grains.first * rank.grain,
                    .batch_rows = rank.batch_rows};
    const test::Inputs inputs = test::inputs_of(random.graph, rows, 17 + step);
    test::expect_same_bits(planned.run(pass, subtrees, inputs),
                           test::naive_pass(random.graph, random.ops, pass, subtrees, inputs));
  }
}

TEST(WorkspacePlan, PassesGiveWhatPassesWithMemoryForEverythingGive) {
  constexpr Rank kRanks[] = {{23, 2, {0, 12}}, {23, 2, {3, 12}}, {40, 3, {0, 7}}, {5, 8, {0, 1}}};
  for (std::uint64_t seed = 0; seed < 1000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomGraph random(seed, seed % 3 != 0);
    Draw draw(3000 + seed);
    for (const Rank& rank : kRanks) {
      const bool shared = draw.chance(2);
      const std::int64_t block_grains = std::int64_t{1} << draw.below(4);
      const test::PlannedPass::Options options{.way = random_ways(random.graph, draw),
                                               .block_grains = draw.chance(2) ? 0 : block_grains,
                                               .first_row = shared ? draw.below(3) : 0,
                                               .shared = shared,
                                               .own_input = shared && draw.chance(2)};
      SCOPED_TRACE("block " + std::to_string(options.block_grains) + ", shared " +
                   std::to_string(shared) + ", own input " + std::to_string(options.own_input));
      expect_naive_results(random, rank, options);
    }
  }
}

/// Another value may lie where the input did once it has been read.
TEST(Workspace, InputOfItsOwnIsNoOtherValues) {
  Parameter parameter{.name = "w", .shape = {8}, .initializer = {}, .regularizer = {}};
  const ParameterArena arena({&parameter});
  Graph graph;
  std::size_t value = graph.add_input({8});
  const Needs reads_nothing{
      .backward_reads_x = false, .backward_reads_y = false, .gradient_reads_y = false};
  for (Parameter* of_op : {static_cast<Parameter*>(nullptr), &parameter, &parameter})
    value = graph.add(std::make_unique<test::MixOp>(reads_nothing, of_op), {value}, {8});
  graph.finish({value});
  const std::vector<Range> samples{{0, 8}, {8, 10}};
  const Subtrees subtrees{.samples = samples, .grain = 2};
  const test::Inputs inputs = test::inputs_of(graph, 10, 1);
  const Pass pass{.training = true, .batch_rows = 10};
  test::PlannedPass planned(graph, 3, 10, 2,
                            {.way = std::vector(3, GradientWay::kRows),
                             .first_row = 2,
                             .shared = true,
                             .own_input = true});
  test::expect_same_bits(planned.run(pass, subtrees, inputs),
                         test::naive_pass(graph, 3, pass, subtrees, inputs));
}

constexpr std::int64_t kWidth = 64, kRows = 32;

Sequential chain(Activation activation) {
  Sequential model;
  for (int i = 0; i < 50; ++i) model.add(std::make_unique<Dense>(kWidth, activation));
  model.build({kWidth});
  return model;
}

TEST(WorkspacePlan, AChainTakesItsOutputsAndTwoGradients) {
  for (const Activation activation : {Activation::kRelu, Activation::kTanh, Activation::kLinear}) {
    const Sequential model = chain(activation);
    const Graph& graph = model.graph();
    const WorkspacePlan plan =
        plan_workspace(graph, {.training = true,
                               .ops = graph.ops(),
                               .way = std::vector(graph.ops(), GradientWay::kRows),
                               .rows = {kRows, kRows, kRows}});
    EXPECT_LE(static_cast<double>(plan.floats[kRank]), 1.1 * (50 + 2) * kWidth * kRows);
  }
}

TEST(WorkspacePlan, InferenceTakesThreeBuffersAtMost) {
  for (const Activation activation : {Activation::kRelu, Activation::kTanh, Activation::kLinear}) {
    const Sequential model = chain(activation);
    const WorkspacePlan plan = plan_workspace(
        model.graph(),
        {.training = false, .ops = model.graph().ops(), .rows = {kRows, kRows, kRows}});
    EXPECT_LE(plan.floats[kRank], 3 * kWidth * kRows);
  }
}

TEST(WorkspacePlan, BlocksTakeMemoryForOneBlock) {
  const Sequential model = chain(Activation::kTanh);
  const auto floats = [&](std::int64_t block) {
    const WorkspacePlan plan =
        plan_workspace(model.graph(), {.training = true,
                                       .ops = model.graph().ops(),
                                       .way = std::vector(model.graph().ops(), GradientWay::kRows),
                                       .rows = {kRows, kRows, block}});
    return std::accumulate(plan.floats.begin(), plan.floats.end(), std::int64_t{0});
  };
  // The input lies there for all rows.
  EXPECT_LE(floats(kRows / 4), floats(kRows) / 4 + kWidth * kRows);
}

}  // namespace
}  // namespace lockstep
