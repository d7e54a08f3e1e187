#include "src/core/memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace lockstep {
namespace {

/// Of address space, as Linux tells it; 0: not known.
std::size_t mapped_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string out_of_memory(const std::bad_alloc& error) {
  std::string text = "out of memory";
  if (dynamic_cast<const OutOfMemory*>(&error) != nullptr)
    text += fmt::format(": {}", error.what());
  const std::size_t mapped = mapped_bytes();
  if (mapped > 0) text += fmt::format("; this process has {}", mebibytes(mapped));
  rlimit limit{};
  if (mapped > 0 && getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    text += fmt::format(" of the {} that ulimit -v allows", mebibytes(limit.rlim_cur));
  return text;
}

}  // namespace lockstep
