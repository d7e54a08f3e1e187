#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/host_map.hpp"
#include "distributed/update/host_window.hpp"
#include "distributed/update/sharded_step.hpp"
#include "distributed/update/table.hpp"

namespace lockstep {

/// A shard of a bucket that a rank owns.
struct Shard {
  int index;
  Range floats;
  Range own;                  ///< the piece of it that this rank owns
  std::int64_t gradients_at;  ///< its place within each partial
  std::int64_t slots_at;      ///< of the piece in the rank's slots
  std::int64_t received_at;   ///< of the piece's partials from other hosts
};

/// What ShardedOptimizer has on one rank: who computes which gradient, what it owns, and how large
/// its memory is.
struct ShardedLayout {
  std::vector<ShardedStep> steps;  ///< of each plan
  std::vector<GradientWay> ways;   ///< by op
  GradientPlan gradients;
  std::vector<Bucket> buckets;
  std::vector<std::vector<Shard>> shards;  ///< by bucket
  std::vector<Table> tables;               ///< whose bucket is the last

  WorkspaceUse workspace;
  HostWindow::Sizes window;
  std::int64_t block_grains = 0;
  std::int64_t most_grains = 1;  ///< of the host
  /// What ranks take from the dataset need not travel between cores: each keeps its input.
  bool own_input = false;
  std::vector<std::vector<DistributedOptimizer::Input>> other_inputs;  ///< of each step

  std::size_t most_addends = 0;     ///< partials that are added up at a time
  std::int64_t partial_floats = 0;  ///< of the shards: from one partial to the next
  std::int64_t gradient_floats = 0;
  std::int64_t received_floats = 0;
};

/// A pure function, but for the size of this CPU's cache; the plans must outlive the result.
ShardedLayout plan_sharded_layout(const Network& model, const HostMap& map, int rank,
                                  const DistributedOptimizer::Options& options,
                                  std::span<const StepPlan> plans);

}  // namespace lockstep
