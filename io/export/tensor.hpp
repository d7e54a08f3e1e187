#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"

namespace lockstep {

/// Numbers on their way to another program's file, row-major.
struct Tensor {
  Shape shape;
  std::vector<float> values;

  /// As many elements under another shape.
  Tensor reshaped(Shape other) const;
  /// Axis i of the result is axis order[i] of this.
  Tensor permuted(const std::vector<std::size_t>& order) const;
  Tensor transposed() const { return permuted({1, 0}); }
  /// The equal blocks along the first axis in another order.
  Tensor with_blocks(const std::vector<std::size_t>& order) const;
  /// One of the first axis, without that axis.
  Tensor at(std::int64_t index) const;
};

/// All elements alike.
Tensor filled(Shape shape, float value);

}  // namespace lockstep
