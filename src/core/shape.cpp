#include "src/core/shape.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {

std::int64_t element_count(const Shape& shape) {
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      fail(ExitCode::kBadData, "[shape] expected extents of at least 0, got {}", to_string(shape));
  }
  // However large the others are.
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count))
      fail(ExitCode::kBadData, "[shape] expected fewer than 2^63 elements, got {}",
           to_string(shape));
  }
  return count;
}

std::string to_string(const Shape& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

std::string to_string_batched(const Shape& shape) {
  std::string text = "(None,";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i > 0 ? ", " : " ") + (shape[i] == -1 ? "None" : std::to_string(shape[i]));
  return text + ")";
}

}  // namespace lockstep
