#pragma once

#include <span>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "src/model/network.hpp"

namespace lockstep {

bool all_finite(std::span<const float> values);

/// Compares the replicas of all ranks: first that every weight is finite, then a hash of weights
/// and of the objective's optimizer slots. Throws Error (70) on every rank, naming the ranks that
/// differ from the majority and the first weight (or slot) in which they do. `when` goes into the
/// message: "step 1200". Collective.
void check_replicas(const Network& model, const Objective& objective,
                    std::span<const std::span<const float>> slots, const Communicator& communicator,
                    const std::string& when);
/// Of the weights alone.
void check_replicas(const Network& model, const Communicator& communicator,
                    const std::string& when);

}  // namespace lockstep
