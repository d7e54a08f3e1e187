#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <vector>

#include "distributed/ranks/communicator.hpp"

namespace lockstep {

/// Memory that all ranks of a host see: one MPI-3 shared window. Where windows cannot be had each
/// rank gets memory of its own, and shared() is false. It starts on a boundary of 4096 bytes: Open
/// MPI's windows start 8 bytes behind a cache line.
class HostMemory {
 public:
  /// Collective over `host`, which must be made by on_this_host() and outlive this object.
  /// Throws std::bad_alloc, maybe on one rank alone, if there is not enough memory.
  HostMemory(const Communicator& host, std::size_t bytes);
  /// Collective; while an exception is under way it frees nothing and waits for nobody (the window
  /// then stays until MPI_Finalize).
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept;
  HostMemory& operator=(HostMemory&&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }
  bool shared() const { return window_ != MPI_WIN_NULL; }
  /// What ranks wrote before it is seen by all ranks after it. Collective.
  void synchronize() const;

 private:
  const Communicator* host_;
  int exceptions_;  ///< under way when this object was made
  MPI_Win window_ = MPI_WIN_NULL;
  std::vector<std::byte> own_;
  std::span<std::byte> bytes_;
};

}  // namespace lockstep
