#pragma once

#include <cstdint>

#include "distributed/ranks/communicator.hpp"
#include "distributed/update/host_steps.hpp"

namespace lockstep {

/// Waits for other ranks of the host until `there()`; meanwhile calls `progress()`, which tells
/// whether anything went on. Throws as Communicator::look_for_alarm() if one of them has left.
template <class There, class Progress>
void wait_until(const There& there, const Progress& progress, const Communicator& communicator,
                Backoff& backoff) {
  // A look at the alarm takes microseconds, in which the others may arrive: none while it spins.
  constexpr std::int64_t kWaitsBetweenLooks = 64;
  std::int64_t waits = 0;
  backoff.reset();
  while (!there()) {
    if (progress()) {
      backoff.reset();
      continue;
    }
    backoff.wait();
    if (backoff.yields() && ++waits % kWaitsBetweenLooks == 0) communicator.look_for_alarm();
  }
}

}  // namespace lockstep
