#pragma once

#include <string>
#include <thread>
#include <vector>

#include "distributed/update/heartbeat.hpp"

namespace lockstep {

/// Watches, while training runs, that it goes on. If no rank of this host has come further for
/// some time although ranks wait for others, one of those that wait names the others on standard
/// error: once, until training goes on and stops again. A slow rank is no error, training waits.
class StallWatch {
 public:
  /// 0 seconds: no watch. `heartbeat` must outlive it.
  StallWatch(const Heartbeat& heartbeat, double seconds);
  ~StallWatch() = default;  ///< it ends

 private:
  std::jthread thread_;
};

/// What to say when nothing changes any more; empty if this rank is not the first that waits, or
/// if nobody keeps the others waiting on this host.
std::string describe_stall(const Heartbeat& heartbeat, const std::vector<Heartbeat::Beat>& beats,
                           double seconds);

}  // namespace lockstep
