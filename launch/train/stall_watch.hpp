#pragma once

#include <string>
#include <thread>
#include <vector>

#include "distributed/update/heartbeat.hpp"

namespace lockstep {

/// Watches that training steps go on. If no rank of this host has come further for some time
/// although ranks wait for others, one of those that wait names the others on standard error: once,
/// until training goes on and stops again. A slow rank is no error, training waits. Between steps
/// (validation, saving) it says nothing.
class StallWatch {
 public:
  /// 0 seconds: no watch. `heartbeat` must outlive it.
  StallWatch(const Heartbeat& heartbeat, double seconds);
  ~StallWatch() = default;  ///< it ends

 private:
  std::jthread thread_;
};

/// What to say when nothing changes any more; empty if this rank is not the first that waits.
std::string describe_stall(const Heartbeat& heartbeat, const std::vector<Heartbeat::Beat>& beats,
                           double seconds);

}  // namespace lockstep
