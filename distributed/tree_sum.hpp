#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/range.hpp"

namespace lockstep {

/// Adds up nodes of the tree of grains (src/core/grain_tree.hpp) in the tree's order, whoever
/// computed which: to its root, or as far as the nodes go.
class TreeSum {
 public:
  /// `inputs`: disjoint nodes of the tree over `leaves` >= 1, in order.
  TreeSum(std::int64_t leaves, std::span<const Range> inputs);

  /// The largest nodes that the inputs make up, in order; the root alone if they cover all leaves.
  std::span<const Range> outputs() const { return outputs_; }
  /// Which of the inputs make up an output.
  Range inputs_of(std::size_t output) const { return inputs_of_[output]; }

  /// sum[i] = the output over inputs[.][i] for `count` elements; `inputs`: those of this output
  /// only. `sum` may be one of them.
  void add(std::size_t output, std::span<const float* const> inputs, float* sum,
           std::int64_t count);
  /// The root for numbers that lie input by input, sums.size() of each.
  void add_to_root(std::span<const double> inputs, std::span<double> sums) const;

 private:
  /// After input i is put on the stack, this many times the two topmost entries become their sum.
  std::vector<int> merges_;
  std::vector<Range> outputs_;
  std::vector<Range> inputs_of_;
  FloatBuffer scratch_;  ///< one block for each entry of the stack
};

}  // namespace lockstep
