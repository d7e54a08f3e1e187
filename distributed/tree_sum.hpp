#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/range.hpp"

namespace lockstep {

/// Adds up nodes of the tree of grains (src/core/grain_tree.hpp): from the nodes that ranks have
/// computed to the root, in the tree's order, whoever computed which.
class TreeSum {
 public:
  /// `inputs`: nodes that together cover all `leaves` >= 1, in order.
  TreeSum(std::int64_t leaves, std::span<const Range> inputs);

  std::size_t input_count() const { return merges_.size(); }

  /// sum[i] = the root over inputs[.][i] for `count` elements. `sum` may be one of the inputs.
  void add(std::span<const float* const> inputs, float* sum, std::int64_t count);
  /// The same for numbers that lie input by input, sums.size() of each.
  void add(std::span<const double> inputs, std::span<double> sums) const;

 private:
  /// After input i is put on the stack, this many times the two topmost entries become their sum.
  std::vector<int> merges_;
  std::size_t depth_ = 0;  ///< of the stack
  FloatBuffer scratch_;    ///< one block for each entry
};

}  // namespace lockstep
