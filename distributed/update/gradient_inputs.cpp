#include "distributed/update/gradient_inputs.hpp"

namespace lockstep {

Range gradient_columns(const Sequential& model, const HostMap& map, std::span<const Bucket> buckets,
                       int rank) {
  Range columns{};
  for (const Bucket& bucket : buckets)
    for (int shard = 0; shard < map.shards(); ++shard)
      if (map.owner(map.host_of(rank), shard) == rank)
        columns = hull(columns, model.gradient_columns(map.shard(bucket, shard)));
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
