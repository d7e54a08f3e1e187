#include "distributed/ranks/host_memory.hpp"

#include <sys/statvfs.h>

#include <cstdint>
#include <exception>
#include <utility>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBoundary = 4096;

/// Where MPI libraries put shared windows on Linux; elsewhere nothing is known, and it is tried.
bool shared_memory_has_room(std::size_t bytes) {
  constexpr std::uint64_t kSlack = 16 << 20;
  struct statvfs room {};
  if (statvfs("/dev/shm", &room) != 0) return true;
  return room.f_bavail * static_cast<std::uint64_t>(room.f_frsize) >= bytes + kSlack;
}

/// As many bytes of `memory`, which has kBoundary more, from a boundary on. Ranks map whole pages,
/// so that it is the same place for all.
std::span<std::byte> on_boundary(void* memory, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t skip = (kBoundary - address % kBoundary) % kBoundary;
  return {static_cast<std::byte*>(memory) + skip, bytes};
}

}  // namespace

HostMemory::HostMemory(const Communicator& host, std::size_t bytes)
    : host_(&host), exceptions_(std::uncaught_exceptions()) {
  // Open MPI's first rank fails alone if the segment does not fit, and the others wait for it: so
  // it looks first.
  if (!host.broadcast(shared_memory_has_room(bytes))) {
    own_.resize(bytes + kBoundary);
    bytes_ = on_boundary(own_.data(), bytes);
    return;
  }
  // The host's first rank holds the segment; the others map it.
  const MPI_Aint own_bytes = host.is_root() ? static_cast<MPI_Aint>(bytes + kBoundary) : 0;
  void* base = nullptr;
  const int created =
      MPI_Win_allocate_shared(own_bytes, 1, MPI_INFO_NULL, host.get(), &base, &window_);
  const bool everywhere = host.all_min(created == MPI_SUCCESS ? 1 : 0) == 1;
  if (everywhere) {
    MPI_Aint size = 0;
    int unit = 0;
    if (MPI_Win_shared_query(window_, 0, &size, &unit, &base) != MPI_SUCCESS)
      fail(ExitCode::kInputOutput, "[host memory] MPI_Win_shared_query failed");
    // MPI_Win_sync is allowed in an access epoch only: one that lasts as long as the window.
    if (MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN) != MPI_SUCCESS)
      fail(ExitCode::kInputOutput, "[host memory] MPI_Win_set_errhandler failed");
    if (MPI_Win_lock_all(MPI_MODE_NOCHECK, window_) != MPI_SUCCESS)
      fail(ExitCode::kInputOutput, "[host memory] MPI_Win_lock_all failed");
    bytes_ = on_boundary(base, bytes);
    return;
  }
  // MPI_Win_free would wait for the ranks that got none: a window stays until MPI_Finalize.
  window_ = MPI_WIN_NULL;
  own_.resize(bytes + kBoundary);
  bytes_ = on_boundary(own_.data(), bytes);
}

HostMemory::~HostMemory() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  // MPI_Win_free waits for the host's other ranks; a rank that leaves by an exception may be alone,
  // and must get to where it can say so.
  const bool leaves_by_exception = std::uncaught_exceptions() > exceptions_;
  if (window_ == MPI_WIN_NULL || finalized || leaves_by_exception) return;
  MPI_Win_unlock_all(window_);
  MPI_Win_free(&window_);
}

HostMemory::HostMemory(HostMemory&& other) noexcept
    : host_(other.host_),
      exceptions_(std::uncaught_exceptions()),
      window_(std::exchange(other.window_, MPI_WIN_NULL)),
      own_(std::move(other.own_)),
      bytes_(std::exchange(other.bytes_, {})) {}

void HostMemory::synchronize() const {
  if (window_ == MPI_WIN_NULL) return;
  const int before = MPI_Win_sync(window_);
  host_->barrier();
  const int after = MPI_Win_sync(window_);
  check(before == MPI_SUCCESS && after == MPI_SUCCESS, ExitCode::kInputOutput,
        "[host memory] MPI_Win_sync failed");
}

}  // namespace lockstep
