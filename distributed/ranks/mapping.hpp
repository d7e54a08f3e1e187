#pragma once

#include <cstddef>
#include <span>
#include <system_error>

namespace lockstep {

/// Whether this process may map `bytes` more of shared memory: address space (ulimit -v), a
/// descriptor for the file behind it (ulimit -n), a file of that size (ulimit -f).
bool can_map(std::size_t bytes);

/// Whether /dev/shm, where MPI libraries put shared windows on Linux, has room for so many bytes;
/// elsewhere nothing is known, and it is tried.
bool shared_memory_has_room(std::size_t bytes);

/// Gives every page of mapped memory something behind it, so that using it later cannot end in
/// SIGBUS because the file system has filled up. The memory must not be in use: it may become zero.
std::error_code populate(std::span<std::byte> memory);
/// The same where the kernel (before 5.14) has no call for it: a read into the memory fails where a
/// write by the process would end it.
std::error_code populate_by_reading(std::span<std::byte> memory);

}  // namespace lockstep
