#include "src/layers/position_axes.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {

PositionAxes position_axes(const Shape& shape) {
  PositionAxes axes = {1, 1, 1};
  std::copy_backward(shape.begin(), shape.end() - 1, axes.end());
  return axes;
}

void check_positions(const std::string& layer, const Shape& input, std::size_t axes) {
  check(input.size() == axes + 1 && *std::ranges::min_element(input) > 0, ExitCode::kBadData,
        "[{}] expected an input of {} axes (batch, {} of positions, channels), got {}", layer,
        axes + 2, axes, to_string_batched(input));
}

}  // namespace lockstep
