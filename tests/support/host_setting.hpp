#pragma once

#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "distributed/update/distributed_optimizer.hpp"

namespace lockstep::test {

/// The strategy, and for kSharded how the ranks lie on hosts: per_host on each, one after the other
/// or by turns.
struct HostSetting {
  std::string name;
  DistributedOptimizer::Strategy strategy = DistributedOptimizer::Strategy::kSharded;
  int per_host = 100;
  bool by_turns = false;
};
void PrintTo(const HostSetting& setting, std::ostream* out);

/// Allreduce, and sharded on one host, hosts of one, two and three ranks, and of two by turns.
const std::vector<HostSetting>& host_settings();

/// Set up. Collective.
std::unique_ptr<DistributedOptimizer> make_distributed(const HostSetting& setting, Network& model,
                                                       const Communicator& communicator,
                                                       const DistributedOptimizer::Options& options,
                                                       std::span<const StepPlan> plans);

}  // namespace lockstep::test
