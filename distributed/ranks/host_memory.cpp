#include "distributed/ranks/host_memory.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <utility>

#include "distributed/ranks/mapping.hpp"
#include "src/core/error.hpp"
#include "src/core/fault.hpp"
#include "src/core/memory.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBoundary = 4096;

/// As many bytes of `memory`, which has kBoundary more, from a boundary on. Ranks map whole pages,
/// so that it is the same place for all.
std::span<std::byte> on_boundary(void* memory, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t skip = (kBoundary - address % kBoundary) % kBoundary;
  return {static_cast<std::byte*>(memory) + skip, bytes};
}

/// This rank's pages of memory that all ranks of a host use: those that it touches first are near
/// its core.
std::span<std::byte> own_pages(std::span<std::byte> memory, const Communicator& host) {
  const std::size_t pages = (memory.size() + kBoundary - 1) / kBoundary;
  const auto rank = static_cast<std::size_t>(host.rank());
  const auto size = static_cast<std::size_t>(host.size());
  const std::size_t first = pages * rank / size * kBoundary;
  const std::size_t last = std::min(pages * (rank + 1) / size * kBoundary, memory.size());
  return memory.subspan(std::min(first, last), last - std::min(first, last));
}

bool is_possible(const Communicator& host, std::size_t bytes) {
  try {
    fault_point("map", host.rank(), 0);
  } catch (const std::exception&) {
    return false;
  }
  return can_map(bytes) && (!host.is_root() || shared_memory_has_room(bytes));
}

}  // namespace

HostMemory::HostMemory(const Communicator& host, std::size_t bytes)
    : host_(&host), exceptions_(std::uncaught_exceptions()), size_(bytes) {
  // MPI_Win_allocate_shared fails on one rank alone if that one cannot map the segment, and the
  // others wait for it: so all look first.
  if (host.all_min(is_possible(host, bytes) ? 1 : 0) == 0) return;
  // The host's first rank holds the segment; the others map it.
  const MPI_Aint own_bytes = host.is_root() ? static_cast<MPI_Aint>(bytes + kBoundary) : 0;
  void* base = nullptr;
  const int created =
      MPI_Win_allocate_shared(own_bytes, 1, MPI_INFO_NULL, host.get(), &base, &window_);
  if (host.all_min(created == MPI_SUCCESS ? 1 : 0) == 0) {
    // MPI_Win_free would wait for the ranks that got none: a window stays until MPI_Finalize.
    window_ = MPI_WIN_NULL;
    return;
  }
  adopt_window();
  // The file system may have filled up since: better an answer now than a SIGBUS later.
  const bool populated = !populate(own_pages(bytes_, host));
  if (host.all_min(populated ? 1 : 0) == 0) free_window();
}

void HostMemory::adopt_window() {
  void* base = nullptr;
  MPI_Aint size = 0;
  int unit = 0;
  if (MPI_Win_shared_query(window_, 0, &size, &unit, &base) != MPI_SUCCESS)
    fail(ExitCode::kInputOutput, "[host memory] MPI_Win_shared_query failed");
  // MPI_Win_sync is allowed in an access epoch only: one that lasts as long as the window.
  if (MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN) != MPI_SUCCESS)
    fail(ExitCode::kInputOutput, "[host memory] MPI_Win_set_errhandler failed");
  if (MPI_Win_lock_all(MPI_MODE_NOCHECK, window_) != MPI_SUCCESS)
    fail(ExitCode::kInputOutput, "[host memory] MPI_Win_lock_all failed");
  bytes_ = on_boundary(base, size_);
}

void HostMemory::free_window() {
  MPI_Win_unlock_all(window_);
  MPI_Win_free(&window_);
  window_ = MPI_WIN_NULL;
  bytes_ = {};
}

void HostMemory::use_own(const std::string& what) {
  if (shared()) return;
  allocating(fmt::format("{}, which the ranks of a host cannot share ({} in /dev/shm)", what,
                         mebibytes(size_)),
             [&] {
               own_ =
                   FloatBuffer(static_cast<std::int64_t>((size_ + kBoundary) / sizeof(float) + 1));
             });
  bytes_ = on_boundary(own_.span().data(), size_);
}

HostMemory::~HostMemory() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  // MPI_Win_free waits for the host's other ranks; a rank that leaves by an exception may be alone,
  // and must get to where it can say so.
  const bool alone = std::uncaught_exceptions() > exceptions_ || host_->alarm_raised();
  if (window_ != MPI_WIN_NULL && !finalized && !alone) free_window();
}

HostMemory::HostMemory(HostMemory&& other) noexcept
    : host_(other.host_),
      exceptions_(std::uncaught_exceptions()),
      window_(std::exchange(other.window_, MPI_WIN_NULL)),
      own_(std::move(other.own_)),
      size_(other.size_),
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
