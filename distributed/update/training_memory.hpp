#pragma once

#include <cstdint>
#include <span>

#include "distributed/update/distributed_optimizer.hpp"

namespace lockstep {

/// Bytes that training takes on one host beside the rows, summed over its ranks.
struct TrainingMemory {
  std::int64_t parameters = 0;  ///< shared ones, and each rank's own before and after training
  std::int64_t gradients = 0;
  std::int64_t slots = 0;
  std::int64_t workspace = 0;  ///< what passes work in

  std::int64_t total() const { return parameters + gradients + slots + workspace; }
};

/// Of the first host, where every host has `host_ranks` of the plans' ranks. The model must be
/// compiled. A pure function, but for the size of this CPU's cache.
TrainingMemory training_memory(const Network& model, DistributedOptimizer::Strategy strategy,
                               const DistributedOptimizer::Options& options, int host_ranks,
                               std::span<const StepPlan> plans);

}  // namespace lockstep
