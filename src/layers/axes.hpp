#pragma once

#include <cstdint>
#include <string>

#include "src/core/shape.hpp"

namespace lockstep {

/// Keras's number of an axis, which counts the batch axis and, if negative, from the end, as an
/// index into a sample's shape. Throws Error (65), naming the layer, for the batch axis and for one
/// that is not there.
std::size_t sample_axis(std::int64_t axis, const Shape& sample, const std::string& layer);

}  // namespace lockstep
