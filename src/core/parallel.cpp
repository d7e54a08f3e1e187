#include "src/core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>

#include "src/core/floating_point.hpp"

namespace lockstep {
namespace {

std::atomic<int> wanted_threads{1};

}  // namespace

void set_threads(int threads) {
  wanted_threads.store(std::max(threads, 1), std::memory_order_relaxed);
}

int threads() {
  return wanted_threads.load(std::memory_order_relaxed);
}

void detail::run_parallel(std::int64_t parts, void (*run)(void*, std::int64_t), void* context) {
  const int team = static_cast<int>(std::min<std::int64_t>(threads(), parts));
  if (team <= 1) {
    for (std::int64_t part = 0; part < parts; ++part) run(context, part);
    return;
  }
  const FloatingPointState callers = FloatingPointState::of_this_thread();
  std::exception_ptr failure;
#pragma omp parallel num_threads(team)
  {
    const FloatingPointEnvironment environment(callers);
#pragma omp for schedule(static) nowait
    for (std::int64_t part = 0; part < parts; ++part) {
      try {
        run(context, part);
      } catch (...) {
#pragma omp critical(lockstep_parallel_failure)
        failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace lockstep
