#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "src/core/shape.hpp"

namespace lockstep {

/// Extents of the positions of a sample: depth, height, width. With fewer axes the first are 1.
using PositionAxes = std::array<std::int64_t, 3>;

/// Of (positions of each axis ..., channels).
PositionAxes position_axes(const Shape& shape);

/// Throws Error (65) unless a sample has so many axes of positions, and channels: "[name] expected
/// an input of 4 axes ...".
void check_positions(const std::string& layer, const Shape& input, std::size_t axes);

}  // namespace lockstep
