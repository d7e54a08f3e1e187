#pragma once

#include <string>

#include "io/data/array_view.hpp"
#include "src/losses/loss.hpp"

namespace lockstep {

/// One line if the last rows, which validation_split cuts off, have a class that the others lack,
/// or lack one of which they should have a row at least; else empty. Classes are integer targets,
/// one a row, of a loss that takes class indices or of binary_crossentropy. Throws Error (64) if a
/// part would be empty.
std::string split_warning(const ArrayView& y, double validation_split, const Loss& loss);

}  // namespace lockstep
