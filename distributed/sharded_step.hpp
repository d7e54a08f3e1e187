#pragma once

#include <cstddef>
#include <vector>

#include "distributed/host_map.hpp"
#include "distributed/step_plan.hpp"
#include "distributed/tree_sum.hpp"

namespace lockstep {

/// What a step plan means for one rank of ShardedSync: which nodes its host's ranks hold, how far
/// they add up within the host, and what the other hosts send to complete the tree. Equal but for
/// the point of view on all ranks, so that every sum that is sent is expected.
struct ShardedStep {
  /// Where a node comes from: from a rank of this host, or else it was received.
  struct Source {
    int rank = -1;
    std::size_t node = 0;  ///< which of the rank's nodes, or of what was received
  };

  const StepPlan* plan;
  std::vector<Range> node_rows;           ///< of this rank
  std::vector<Source> host_sources;       ///< all nodes of this host, in order
  TreeSum host_sum;                       ///< of them, as far as they go
  std::vector<std::size_t> sums_of_host;  ///< how many sums a host sends
  std::vector<Source> sources;            ///< this host's nodes and the other hosts' sums, in order
  TreeSum total;                          ///< of them
  TreeSum all_nodes;                      ///< of every rank's nodes, for the statistics
};

/// A pure function; the plan must outlive the result.
ShardedStep plan_sharded_step(const StepPlan& plan, const HostMap& map, int rank);

}  // namespace lockstep
