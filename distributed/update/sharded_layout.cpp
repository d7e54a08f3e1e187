#include "distributed/update/sharded_layout.hpp"

#include <algorithm>

#include "distributed/update/gradient_inputs.hpp"
#include "distributed/update/gradient_ways.hpp"
#include "distributed/update/host_steps.hpp"

namespace lockstep {
namespace {

/// Floats of input that each rank of a host may keep for itself.
constexpr std::int64_t kLargestOwnInput = 1 << 22;

/// The largest numbers of all steps.
struct Extents {
  std::int64_t host_rows = 0, own_rows = 0;
  std::int64_t host_grains = 1, own_grains = 1;
  std::size_t all_subtrees = 0, rank_partials = 0;
  std::size_t host_subtrees = 1;  ///< the sums end in the first
  std::size_t received = 0;       ///< subtrees of other hosts

  explicit Extents(std::span<const ShardedStep> steps) {
    for (const ShardedStep& step : steps) {
      const StepPlan& plan = *step.plan;
      host_rows = std::max(host_rows, step.host_rows.count());
      own_rows = std::max(own_rows, step.rows.count());
      host_grains = std::max(host_grains, plan.grains_of_rows(step.host_rows.count()));
      own_grains = std::max(own_grains, plan.grains_of_rows(step.rows.count()));
      all_subtrees = std::max(all_subtrees, plan.all_subtrees().size());
      rank_partials = std::max(rank_partials, step.rank_partials);
      host_subtrees = std::max(host_subtrees, step.host_subtrees.size());
      received = std::max(received, step.sources.size() - step.host_subtrees.size());
    }
  }
};

void plan_shards(const HostMap& map, int rank, const Extents& most, ShardedLayout& layout) {
  const int host = map.host_of(rank);
  // A rank that is alone on its host owns everything, and its passes write where it adds up.
  const bool alone = map.ranks_of(host).size() == 1;
  std::int64_t slots = 0;
  for (const Bucket& bucket : layout.buckets) {
    std::vector<Shard>& shards = layout.shards.emplace_back();
    for (int index = 0; index < map.shards(); ++index) {
      if (map.owner(host, index) != rank) continue;
      const Range floats = map.shard(bucket, index);
      const Range own = map.piece(bucket, index, host);
      const std::int64_t at =
          alone ? layout.gradients.partial_at(floats.first) : layout.partial_floats;
      shards.push_back({index, floats, own, at, slots, layout.received_floats});
      layout.partial_floats += floats.count();
      slots += own.count();
      layout.received_floats += own.count() * static_cast<std::int64_t>(most.received);
    }
  }
  if (alone) layout.partial_floats = layout.gradients.partial_floats;
  layout.gradient_floats = layout.partial_floats * static_cast<std::int64_t>(most.host_subtrees);
}

/// Where every rank keeps its input for itself, each takes from the dataset what it needs of
/// others.
void plan_inputs(const Graph& graph, const Aim& aim, const HostMap& map, int rank,
                 ShardedLayout& layout) {
  const auto columns_of = [&](int of_rank) {
    return gradient_columns(graph, aim, layout.gradients, map, layout.buckets, of_rank);
  };
  const std::int64_t columns = aim.input_columns(graph);
  const std::int64_t host_rows = layout.workspace.rows[static_cast<std::size_t>(Scope::kHost)];
  std::int64_t gathered = 0;  // columns of others' rows, by all ranks
  for (const int other : map.ranks_of(map.host_of(rank))) gathered += columns_of(other).count();
  layout.own_input =
      layout.workspace.shared && host_rows * columns <= kLargestOwnInput && gathered <= 2 * columns;
  const Range needed = layout.own_input ? columns_of(rank) : Range{};
  for (const ShardedStep& step : layout.steps)
    layout.other_inputs.push_back(inputs_of_others(step, map, rank, needed));
}

}  // namespace

ShardedLayout plan_sharded_layout(const Network& model, const HostMap& map, int rank,
                                  const DistributedOptimizer::Options& options,
                                  std::span<const StepPlan> plans) {
  const Graph& graph = model.graph();
  const Objective& objective = objective_of(model, options);
  const auto host_ranks = static_cast<int>(map.ranks_of(map.host_of(rank)).size());
  ShardedLayout layout;
  for (const StepPlan& plan : plans) layout.steps.push_back(plan_sharded_step(plan, map, rank));
  const Extents most(layout.steps);
  layout.ways = choose_gradient_ways(graph, host_ranks, most.host_rows, objective.aim());
  choose_tables(graph, objective.aim(), objective.optimizer(), largest_batch(plans),
                options.sparse_tables, layout.ways);
  layout.gradients = plan_gradients(graph, layout.ways, objective.aim());
  layout.tables = tables_of(graph, layout.gradients);
  layout.buckets = plan_buckets(layout.gradients, options.bucket_floats);
  plan_shards(map, rank, most, layout);

  const std::int64_t grain = plans.front().grain();
  layout.block_grains = block_grains(model, options, grain, most.own_grains);
  layout.most_grains = most.host_grains;
  layout.workspace = {.training = true,
                      .ops = objective.ops(),
                      .aim = objective.aim(),
                      .way = layout.ways,
                      .rows = {most.host_rows, most.own_rows,
                               block_rows(layout.block_grains, grain, most.own_rows)},
                      .shared = host_ranks > 1};
  plan_inputs(graph, objective.aim(), map, rank, layout);

  const std::size_t partials = host_ranks == 1 ? 0 : most.rank_partials;
  layout.most_addends = std::max(most.all_subtrees, most.rank_partials);
  layout.window = {
      .flag_bytes = HostSteps::bytes(host_ranks),
      .loss_sums = most.all_subtrees * options.loss_sums,
      .requests = static_cast<std::size_t>(map.hosts()),
      .batch_sums = 2 * most.all_subtrees * graph.most_batch_sums(),
      .parameters = options.borrows_parameters ? 0 : model.arena().size(),
      .partials = static_cast<std::int64_t>(partials) * layout.gradients.partial_floats,
      .workspace = Workspace::host_floats(graph, layout.workspace)};
  return layout;
}

}  // namespace lockstep
