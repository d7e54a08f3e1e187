#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/update/bucket.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/table.hpp"

namespace lockstep {

/// What AllreduceOptimizer has on one rank, and how large its memory is.
struct AllreduceLayout {
  GradientPlan gradients;  ///< all by rows, but of tables
  std::vector<Bucket> buckets;
  std::vector<Table> tables;
  WorkspaceUse workspace;
  std::int64_t block_grains = 0;
  std::int64_t most_grains = 1;

  std::size_t all_subtrees = 0;
  std::int64_t gradient_floats = 0;
  std::int64_t received_floats = 0;
  std::vector<std::int64_t> received_at;  ///< where a bucket's begin
};

/// Every rank as a host of its own: so it takes part in tables.
HostMap hosts_of_one_rank(int ranks);

/// A pure function, but for the size of this CPU's cache.
AllreduceLayout plan_allreduce_layout(const Network& model, int rank,
                                      const DistributedOptimizer::Options& options,
                                      std::span<const StepPlan> plans);

}  // namespace lockstep
