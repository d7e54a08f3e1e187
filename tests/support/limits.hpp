#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

/// What a process may have.
namespace lockstep::test {

/// A lower limit, while it lives.
class Limit {
 public:
  Limit(int resource, rlim_t soft) : resource_(resource) {
    getrlimit(resource_, &before_);
    const rlimit lower{soft, before_.rlim_max};
    setrlimit(resource_, &lower);
  }
  ~Limit() { setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  int resource_;
  rlimit before_{};
};

/// Of address space.
inline rlim_t mapped_bytes() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace lockstep::test
