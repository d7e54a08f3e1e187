#pragma once

#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"

namespace lockstep {

enum class Level { kOk, kWarn, kFail };

struct Finding {
  Level level = Level::kOk;
  std::string item;    ///< "BLAS"
  std::string text;    ///< what was found
  std::string advice;  ///< what to do; empty if all is well

  bool operator==(const Finding&) const = default;
};

/// Findings of several hosts as one list, in the order of items: what all hosts say stands once,
/// otherwise the hosts that say it are named. `hosts`: each host's name and its findings.
std::vector<Finding> merge_hosts(
    const std::vector<std::pair<std::string, std::vector<Finding>>>& hosts);

/// Examines all hosts of the world for ranks of so many threads; the same list on every rank.
/// Takes about a second. Collective.
std::vector<Finding> examine(const Communicator& world, int threads);

}  // namespace lockstep
