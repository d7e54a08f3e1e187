#include "distributed/update/gradient_inputs.hpp"

namespace lockstep {

namespace {

/// The columns of the input that tables are looked up by: owners are everywhere among its ids.
Range columns_of_tables(const Graph& graph, const GradientPlan& gradients) {
  for (const TrainedParameter& trained : gradients.parameters)
    for (const auto& [op, number] : trained.uses)
      if (trained.way == GradientWay::kTouched &&
          graph.storage(graph.steps()[op].inputs[0]) == graph.input())
        return {0, element_count(graph.shape(graph.input()))};
  return {};
}

/// The columns of the input that a range of the arena's gradients is computed from by its owner.
Range columns_of(const Graph& graph, const GradientPlan& gradients, Range floats) {
  Range columns{};
  for (const TrainedParameter& trained : gradients.parameters) {
    const Range elements = trained.parameter->elements_within(floats);
    if (trained.way != GradientWay::kOwner || elements.count() == 0) continue;
    for (const auto& [op, number] : trained.uses) {
      const Graph::Step& step = graph.steps()[op];
      for (const std::size_t value : step.inputs)
        if (graph.storage(value) == graph.input())
          columns = hull(columns, step.op->gradient_columns(
                                      number, elements, element_count(graph.shape(graph.input()))));
    }
  }
  return columns;
}

}  // namespace

Range gradient_columns(const Graph& graph, const GradientPlan& gradients, const HostMap& map,
                       std::span<const Bucket> buckets, int rank) {
  Range columns = columns_of_tables(graph, gradients);
  for (const Bucket& bucket : buckets)
    for (int shard = 0; shard < map.shards(); ++shard)
      if (map.owner(map.host_of(rank), shard) == rank)
        columns = hull(columns, columns_of(graph, gradients, map.shard(bucket, shard)));
  return columns;
}

std::vector<DistributedOptimizer::Input> inputs_of_others(const ShardedStep& step,
                                                          const HostMap& map, int rank,
                                                          Range columns) {
  std::vector<DistributedOptimizer::Input> inputs;
  std::int64_t row = 0;
  for (const int other : map.ranks_of(map.host_of(rank))) {
    const Range batch_rows = step.plan->rows_of(other);
    const Range rows{row, row + batch_rows.count()};
    row = rows.last;
    if (other != rank && rows.count() > 0 && columns.count() > 0)
      inputs.push_back({batch_rows, rows, columns});
  }
  return inputs;
}

}  // namespace lockstep
