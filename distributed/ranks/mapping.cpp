#include "distributed/ranks/mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "io/files/posix_file.hpp"

namespace lockstep {
namespace {

/// What an MPI library and the C library may want beside the window itself.
constexpr std::size_t kSlack = 16 << 20;
#if defined(MADV_POPULATE_WRITE)
constexpr int kPopulateWrite = MADV_POPULATE_WRITE;
#else
constexpr int kPopulateWrite = 23;  // Linux 5.14; other kernels answer EINVAL
#endif

std::error_code last_error() {
  return {errno, std::generic_category()};
}

}  // namespace

bool can_map(std::size_t bytes) {
  const std::size_t wanted = bytes + kSlack;
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < wanted) return false;
  const FileDescriptor first(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const FileDescriptor second(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  if (first.get() < 0 || second.get() < 0) return false;
  void* const memory = mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, wanted);
  return true;
}

bool shared_memory_has_room(std::size_t bytes) {
  struct statvfs room {};
  if (statvfs("/dev/shm", &room) != 0) return true;
  return room.f_bavail * static_cast<std::uint64_t>(room.f_frsize) >= bytes + kSlack;
}

std::error_code populate(std::span<std::byte> memory) {
  if (memory.empty()) return {};
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(memory.data()) / page * page;
  const std::size_t bytes = reinterpret_cast<std::uintptr_t>(memory.data()) + memory.size() - first;
  int result = 0;
  do {
    result = madvise(reinterpret_cast<void*>(first), bytes, kPopulateWrite);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return {};
  return errno == EINVAL ? populate_by_reading(memory) : last_error();
}

std::error_code populate_by_reading(std::span<std::byte> memory) {
  constexpr std::size_t kPiece = 1 << 30;
  const FileDescriptor zeros(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  if (zeros.get() < 0) return last_error();
  while (!memory.empty()) {
    const ssize_t read = ::read(zeros.get(), memory.data(), std::min(kPiece, memory.size()));
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return last_error();
    memory = memory.subspan(static_cast<std::size_t>(read));
  }
  return {};
}

}  // namespace lockstep
