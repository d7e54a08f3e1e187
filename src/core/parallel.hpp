#pragma once

#include <cstdint>

#include "src/core/range.hpp"

namespace lockstep {

/// Threads of every parallel_for from now on, at least one; one unless set.
void set_threads(int threads);
int threads();

namespace detail {
void run_parallel(std::int64_t parts, void (*run)(void*, std::int64_t), void* context);
}

/// f(0) ... f(parts - 1), shared out over the threads, which take over the caller's floating-point
/// state meanwhile. f must not depend on the order; one of the exceptions that it throws comes out.
/// One thread, or one part: a plain loop.
template <class F>
void parallel_for(std::int64_t parts, const F& f) {
  detail::run_parallel(
      parts, [](void* context, std::int64_t part) { (*static_cast<const F*>(context))(part); },
      const_cast<F*>(&f));
}

/// Part `part` of `parts` nearly equal ones of `range`, cut at multiples of `unit` from its start.
inline Range part_of(Range range, std::int64_t part, std::int64_t parts, std::int64_t unit) {
  const std::int64_t units = (range.count() + unit - 1) / unit;
  const auto cut = [&](std::int64_t i) {
    const std::int64_t at = range.first + units * i / parts * unit;
    return at < range.last ? at : range.last;
  };
  return {cut(part), cut(part + 1)};
}

}  // namespace lockstep
