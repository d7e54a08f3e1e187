#include "distributed/update/gradient_inputs.hpp"

namespace lockstep {

namespace {

/// The columns of the input that tables are looked up by: owners are everywhere among its ids.
Range columns_of_tables(const Graph& graph, std::size_t input, const GradientPlan& gradients) {
  for (const TrainedParameter& trained : gradients.parameters)
    for (const auto& [op, number] : trained.uses)
      if (trained.way == GradientWay::kTouched &&
          graph.storage(graph.steps()[op].inputs[0]) == input)
        return {0, element_count(graph.shape(input))};
  return {};
}

/// The columns of the input that a range of the arena's gradients is computed from by its owner.
Range columns_of(const Graph& graph, std::size_t input, const GradientPlan& gradients,
                 Range floats) {
  const std::int64_t all = element_count(graph.shape(input));
  Range columns{};
  for (const TrainedParameter& trained : gradients.parameters) {
    const Range elements = trained.parameter->elements_within(floats);
    if (trained.way != GradientWay::kOwner || elements.count() == 0) continue;
    for (const auto& [op, number] : trained.uses) {
      const Graph::Step& step = graph.steps()[op];
      for (const std::size_t value : step.inputs)
        if (graph.storage(value) == input)
          columns = hull(columns, step.op->gradient_columns(number, elements, all));
    }
  }
  return columns;
}

}  // namespace

Range gradient_columns(const Graph& graph, const Aim& aim, const GradientPlan& gradients,
                       const HostMap& map, std::span<const Bucket> buckets, int rank) {
  const std::size_t input = aim.input(graph);
  Range columns = columns_of_tables(graph, input, gradients);
  for (const Bucket& bucket : buckets)
    for (int shard = 0; shard < map.shards(); ++shard)
      if (map.owner(map.host_of(rank), shard) == rank)
        columns = hull(columns, columns_of(graph, input, gradients, map.shard(bucket, shard)));
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
