#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "src/core/float_buffer.hpp"

namespace lockstep {

/// Memory that all ranks of a host see: one MPI-3 shared window, with a page behind each of its
/// addresses. Where a window cannot be had on all of them, shared() is false on all, and bytes() is
/// empty until use_own(). It starts on a boundary of 4096 bytes: Open MPI's windows start 8 bytes
/// behind a cache line.
class HostMemory {
 public:
  /// Collective over `host`, which must be made by on_this_host() and outlive this object.
  HostMemory(const Communicator& host, std::size_t bytes);
  /// Collective; while an exception is under way it frees nothing and waits for nobody (the window
  /// then stays until MPI_Finalize).
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept;
  HostMemory& operator=(HostMemory&&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }
  bool shared() const { return window_ != MPI_WIN_NULL; }
  /// Unless shared(): gives this rank memory of its own, zeroed. Not collective; throws OutOfMemory
  /// (`what`: "the rows of x"), maybe on one rank alone.
  void use_own(const std::string& what);
  /// What ranks wrote before it is seen by all ranks after it. Collective.
  void synchronize() const;

 private:
  void adopt_window();
  void free_window();

  const Communicator* host_;
  int exceptions_;  ///< under way when this object was made
  MPI_Win window_ = MPI_WIN_NULL;
  FloatBuffer own_;
  std::size_t size_ = 0;
  std::span<std::byte> bytes_;
};

}  // namespace lockstep
