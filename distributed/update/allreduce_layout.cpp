#include "distributed/update/allreduce_layout.hpp"

#include <algorithm>
#include <numeric>

namespace lockstep {

HostMap hosts_of_one_rank(int ranks) {
  std::vector<int> host_of(static_cast<std::size_t>(ranks));
  std::iota(host_of.begin(), host_of.end(), 0);
  return HostMap(host_of);
}

AllreduceLayout plan_allreduce_layout(const Network& model, int rank,
                                      const DistributedOptimizer::Options& options,
                                      std::span<const StepPlan> plans) {
  AllreduceLayout layout;
  std::size_t own_subtrees = 1;  // the sums end in the first
  std::size_t other_subtrees = 0;
  std::int64_t rows = 0;
  for (const StepPlan& plan : plans) {
    const std::int64_t own_rows = plan.rows_of(rank).count();
    const std::size_t all = plan.all_subtrees().size();
    const std::size_t own = plan.subtrees_of(rank).size();
    rows = std::max(rows, own_rows);
    layout.most_grains = std::max(layout.most_grains, plan.grains_of_rows(own_rows));
    layout.all_subtrees = std::max(layout.all_subtrees, all);
    own_subtrees = std::max(own_subtrees, own);
    other_subtrees = std::max(other_subtrees, all - own);
  }
  const Graph& graph = model.graph();
  const Objective& objective = objective_of(model, options);
  const std::int64_t grain = plans.front().grain();
  std::vector<GradientWay> ways(graph.ops(), GradientWay::kRows);
  choose_tables(graph, objective.aim(), objective.optimizer(), largest_batch(plans),
                options.sparse_tables, ways);
  layout.gradients = plan_gradients(graph, ways, objective.aim());
  layout.tables = tables_of(graph, layout.gradients);
  layout.buckets = plan_buckets(layout.gradients, options.bucket_floats);
  layout.block_grains = block_grains(model, options, grain, layout.most_grains);
  layout.workspace = {.training = true,
                      .ops = objective.ops(),
                      .aim = objective.aim(),
                      .way = ways,
                      .rows = {0, rows, block_rows(layout.block_grains, grain, rows)}};
  layout.gradient_floats =
      static_cast<std::int64_t>(own_subtrees) * layout.gradients.partial_floats;
  for (const Bucket& bucket : layout.buckets) {
    layout.received_at.push_back(layout.received_floats);
    layout.received_floats += static_cast<std::int64_t>(other_subtrees) *
                              shard_of(bucket.floats, rank, plans.front().ranks()).count();
  }
  return layout;
}

}  // namespace lockstep
