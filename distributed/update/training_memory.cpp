#include "distributed/update/training_memory.hpp"

#include <algorithm>
#include <numeric>

#include "distributed/update/allreduce_optimizer.hpp"
#include "distributed/update/sharded_layout.hpp"
#include "distributed/update/table_updates.hpp"

namespace lockstep {
namespace {

constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));

std::int64_t own_workspace(const Graph& graph, const WorkspaceUse& use) {
  const WorkspacePlan plan = plan_workspace(graph, use);
  const auto host = static_cast<std::size_t>(Scope::kHost);
  return std::accumulate(plan.floats.begin(), plan.floats.end(), std::int64_t{0}) -
         plan.floats[host];
}

/// What pieces of a block are added up on.
std::int64_t stack_floats(const GradientPlan& gradients, std::int64_t block_grains,
                          std::int64_t most_grains) {
  return TrainingPass::stack_entries(block_grains, most_grains) * gradients.partial_floats;
}

TrainingMemory of_sharded(const Network& model, const DistributedOptimizer::Options& options,
                          int host_ranks, std::span<const StepPlan> plans) {
  std::vector<int> host_of;
  for (int rank = 0; rank < plans.front().ranks(); ++rank) host_of.push_back(rank / host_ranks);
  const HostMap map(host_of);
  const auto slots =
      static_cast<std::int64_t>(objective_of(model, options).optimizer().slot_names().size());
  TrainingMemory memory;
  for (const int rank : map.ranks_of(0)) {
    const ShardedLayout layout = plan_sharded_layout(model, map, rank, options, plans);
    if (rank == 0) {
      memory.parameters += layout.window.parameters;
      memory.gradients += layout.window.partials;
      memory.workspace += layout.window.workspace;
    }
    memory.parameters += model.arena().size();
    memory.gradients += layout.gradient_floats + layout.received_floats;
    for (const auto& shards : layout.shards)
      for (const Shard& shard : shards) memory.slots += slots * shard.own.count();
    for (const Table& table : layout.tables)
      memory.slots += slots * row_share(map, rank).count(table.rows) * table.features;
    memory.gradients += TableUpdates::bytes(layout.tables, map, rank, plans) / kFloat;
    memory.workspace += own_workspace(model.graph(), layout.workspace) +
                        stack_floats(layout.gradients, layout.block_grains, layout.most_grains);
    if (layout.own_input)
      memory.workspace +=
          layout.workspace.rows[0] * layout.workspace.aim.input_columns(model.graph());
  }
  return memory;
}

TrainingMemory of_allreduce(const Network& model, const DistributedOptimizer::Options& options,
                            int host_ranks, std::span<const StepPlan> plans) {
  const auto slots =
      static_cast<std::int64_t>(objective_of(model, options).optimizer().slot_names().size());
  TrainingMemory memory;
  for (int rank = 0; rank < host_ranks; ++rank) {
    const AllreduceLayout layout = plan_allreduce_layout(model, rank, options, plans);
    memory.parameters += model.arena().size();
    memory.gradients += layout.gradient_floats + layout.received_floats;
    memory.slots += slots * model.arena().trainable_size();
    memory.gradients +=
        TableUpdates::bytes(layout.tables, hosts_of_one_rank(plans.front().ranks()), rank, plans) /
        kFloat;
    memory.workspace += own_workspace(model.graph(), layout.workspace) +
                        stack_floats(layout.gradients, layout.block_grains, layout.most_grains);
  }
  return memory;
}

}  // namespace

TrainingMemory training_memory(const Network& model, DistributedOptimizer::Strategy strategy,
                               const DistributedOptimizer::Options& options, int host_ranks,
                               std::span<const StepPlan> plans) {
  TrainingMemory memory = strategy == DistributedOptimizer::Strategy::kSharded
                              ? of_sharded(model, options, host_ranks, plans)
                              : of_allreduce(model, options, host_ranks, plans);
  for (std::int64_t* floats :
       {&memory.parameters, &memory.gradients, &memory.slots, &memory.workspace})
    *floats *= kFloat;
  return memory;
}

}  // namespace lockstep
