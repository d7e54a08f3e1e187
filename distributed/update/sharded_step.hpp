#pragma once

#include <cstddef>
#include <vector>

#include "distributed/update/host_map.hpp"
#include "distributed/update/step_plan.hpp"
#include "distributed/update/tree_sum.hpp"

namespace lockstep {

/// What a step plan means for one rank of ShardedSync: where its rows lie among those of its host,
/// which nodes these make up, and what the other hosts send to complete the tree. Equal but for the
/// point of view on all ranks, so that every node that is sent is expected.
struct ShardedStep {
  /// Where a node comes from: this host's, or else received.
  struct Source {
    bool own = false;
    std::size_t node = 0;  ///< which of this host's nodes, or of what was received
  };

  const StepPlan* plan;
  Range rows;                              ///< of this rank, among the rows of its host
  std::vector<Range> node_rows;            ///< of this rank, from its first row
  Range host_rows;                         ///< {0, rows of this host}
  std::vector<Range> host_nodes;           ///< in rows of this host: the largest they make up
  std::vector<std::size_t> nodes_of_host;  ///< how many nodes a host's rows make up
  std::vector<Source> sources;             ///< all hosts' nodes, in order
  TreeSum total;                           ///< of them
  TreeSum all_nodes;                       ///< of every rank's nodes, for the statistics
};

/// A pure function; the plan must outlive the result.
ShardedStep plan_sharded_step(const StepPlan& plan, const HostMap& map, int rank);

}  // namespace lockstep
