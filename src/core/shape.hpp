#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// The extents of one sample or of one weight; the batch axis is never part of it.
using Shape = std::vector<std::int64_t>;

/// The product of the extents; 1 for an empty shape.
/// Throws Error (65) if an extent is negative or the product does not fit 63 bits.
std::int64_t element_count(const Shape& shape);

/// "(784, 64)".
std::string to_string(const Shape& shape);

/// With the batch axis as Keras prints it: "(None, 28, 28)".
std::string to_string_batched(const Shape& shape);

}  // namespace lockstep
