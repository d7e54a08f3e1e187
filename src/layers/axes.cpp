#include "src/layers/axes.hpp"

#include "src/core/error.hpp"

namespace lockstep {

std::size_t sample_axis(std::int64_t axis, const Shape& sample, const std::string& layer) {
  const auto rank = static_cast<std::int64_t>(sample.size());
  const std::int64_t counted = axis < 0 ? axis + rank + 1 : axis;
  check(rank > 0, ExitCode::kBadData,
        "[{}] expected an input with an axis beside the batch, got {}", layer,
        to_string_batched(sample));
  check(counted >= 1 && counted <= rank, ExitCode::kBadData,
        "[{}] expected an axis from 1 to {} (or -{} to -1) of {}, got {}", layer, rank, rank,
        to_string_batched(sample), axis);
  return static_cast<std::size_t>(counted - 1);
}

}  // namespace lockstep
