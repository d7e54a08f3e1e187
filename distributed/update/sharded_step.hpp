#pragma once

#include <cstddef>
#include <vector>

#include "distributed/update/host_map.hpp"
#include "distributed/update/step_plan.hpp"
#include "distributed/update/tree_sum.hpp"

namespace lockstep {

/// What a step plan means for one rank of ShardedOptimizer: where its rows lie among those of its
/// host, which subtrees these make up, and what the other hosts send to complete the tree. Equal
/// but for the point of view on all ranks, so that every subtree that is sent is expected.
struct ShardedStep {
  /// Where a partial comes from: this host's, or else received.
  struct Source {
    bool own = false;
    std::size_t subtree = 0;  ///< which of this host's partials, or of those received
  };

  /// One of host_subtrees, as the sum over its ranks' subtrees.
  struct HostPartial {
    std::size_t first = 0;  ///< of the subtrees of the host's ranks, one rank after the other
    std::size_t count = 0;
    TreeSum sum;
  };

  const StepPlan* plan;
  Range rows;                              ///< of this rank, among the rows of its host
  std::vector<Range> subtree_rows;         ///< of this rank, from its first row
  Range host_rows;                         ///< {0, rows of this host}
  std::vector<Range> host_subtrees;        ///< in rows of this host: the largest they make up
  std::vector<HostPartial> host_partials;  ///< the same
  std::size_t first_partial = 0;  ///< of this rank's subtrees among those of its host's ranks
  std::size_t rank_partials = 0;  ///< of all ranks of the host
  std::vector<std::size_t> subtrees_of_host;  ///< how many subtrees a host's rows make up
  std::vector<Source> sources;                ///< all hosts' subtrees, in order
  TreeSum total;                              ///< of them
  TreeSum all_subtrees;                       ///< of every rank's subtrees, for the loss sums
};

/// A pure function; the plan must outlive the result.
ShardedStep plan_sharded_step(const StepPlan& plan, const HostMap& map, int rank);

}  // namespace lockstep
