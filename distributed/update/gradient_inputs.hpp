#pragma once

#include <span>
#include <vector>

#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/host_map.hpp"
#include "distributed/update/sharded_step.hpp"

namespace lockstep {

/// The columns of the network's input from which a rank computes the gradients of its shards and
/// of rows of tables. A pure function.
Range gradient_columns(const Graph& graph, const Aim& aim, const GradientPlan& gradients,
                       const HostMap& map, std::span<const Bucket> buckets, int rank);

/// These columns of the rows that the other ranks of its host work on. A pure function.
std::vector<DistributedOptimizer::Input> inputs_of_others(const ShardedStep& step,
                                                          const HostMap& map, int rank,
                                                          Range columns);

}  // namespace lockstep
