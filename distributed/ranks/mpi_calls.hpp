#pragma once

#include <sched.h>

#include <cstddef>

namespace lockstep {

// What all calls of MPI have in common.

/// Throws Error (74) with MPI's words unless it is MPI_SUCCESS that `call` has returned.
void check_mpi(int code, const char* call);

/// MPI counts are int: longer spans travel in pieces of this many elements.
inline constexpr std::size_t kLongestPiece = std::size_t{1} << 30;

/// Between two looks at what is awaited: others may want this core.
class Patience {
 public:
  void wait() {
    if (++rounds_ > kSpins) sched_yield();
  }

 private:
  static constexpr int kSpins = 100;
  int rounds_ = 0;
};

}  // namespace lockstep
