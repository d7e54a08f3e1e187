#include "src/layers/position_axes.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {

PositionAxes position_axes(const Shape& shape) {
  PositionAxes axes = {1, 1, 1};
  std::copy_backward(shape.begin(), shape.end() - 1, axes.end());
  return axes;
}

void check_positions(const std::string& layer, const Shape& input, std::size_t axes) {
  std::string hint;
  if (input.size() == axes)  // as grey images are
    hint = fmt::format("; Reshape(({}, 1)) in front of it makes that one channel",
                       fmt::join(input, ", "));
  check(input.size() == axes + 1 && *std::ranges::min_element(input) > 0, ExitCode::kBadData,
        "[{}] expected an input of {} axes (batch, {} of positions, channels), got {}{}", layer,
        axes + 2, axes, to_string_batched(input), hint);
}

}  // namespace lockstep
