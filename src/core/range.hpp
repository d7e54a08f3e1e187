#pragma once

#include <algorithm>
#include <cstdint>

namespace lockstep {

/// The half-open range [first, last).
struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t count() const { return last - first; }
  bool operator==(const Range&) const = default;
};

/// The smallest range that holds both; an empty one counts for nothing.
inline Range hull(Range a, Range b) {
  if (a.count() == 0) return b;
  if (b.count() == 0) return a;
  return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

/// The part of `count` things that part `part` of `parts` takes:
/// [floor(part * count / parts), floor((part + 1) * count / parts)). Parts may be empty.
Range share(std::int64_t count, std::int64_t part, std::int64_t parts);

}  // namespace lockstep
