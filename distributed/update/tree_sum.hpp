#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/range.hpp"

namespace lockstep {

/// The largest subtrees of the tree over `leaves` >= 1 leaves (src/core/grain_tree.hpp) that
/// `inputs`, disjoint subtrees in order, make up; in order.
std::vector<Range> largest_subtrees(std::int64_t leaves, std::span<const Range> inputs);

/// Adds up the partials of the tree of grains to its root in the tree's order, whoever computed
/// which.
class TreeSum {
 public:
  /// `inputs`: disjoint subtrees of the tree over `leaves` >= 1 that cover it, in order; else
  /// std::logic_error.
  TreeSum(std::int64_t leaves, std::span<const Range> inputs);

  /// sum[i] = the root over inputs[.][i] for `count` elements. `sum` may be one of the inputs.
  void add(std::span<const float* const> inputs, float* sum, std::int64_t count);
  /// The root for numbers that lie input by input, sums.size() of each.
  void add_to_root(std::span<const double> inputs, std::span<double> sums) const;

 private:
  /// After input i is put on the stack, this many times the two topmost entries become their sum.
  std::vector<int> merges_;
  FloatBuffer scratch_;  ///< one block for each entry of the stack
};

}  // namespace lockstep
