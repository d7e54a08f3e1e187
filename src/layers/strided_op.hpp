#pragma once

#include <cstdint>
#include <vector>

#include "src/core/shape.hpp"
#include "src/graph/graph.hpp"

namespace lockstep {

/// The elements of an array in another order, or repeatedly: those of a shape, in row-major order,
/// are array[sum of index * stride], given as runs of one length and one step.
struct StridedRuns {
  std::int64_t length = 1;
  std::int64_t step = 0;             ///< from one element of a run to the next: 0 repeats it
  std::vector<std::int64_t> starts;  ///< of each run
  bool repeats = false;              ///< some element is there more than once
};
StridedRuns strided_runs(const Shape& shape, const std::vector<std::int64_t>& strides);

/// The strides of an array of a shape in row-major order.
std::vector<std::int64_t> row_major_strides(const Shape& shape);

/// The value repeated to another shape by Keras's (and NumPy's) rules: shapes are aligned at their
/// last axes, missing axes count as 1, and an extent of 1 is repeated. The gradient by an element
/// is the sum of those by its copies, in ascending order of their positions.
std::size_t broadcast_to(Graph& graph, std::size_t value, const Shape& shape);

/// The value with its axes in another order: axis k of the result is axis order[k], counted from 0.
/// Where that takes back another permutation, its input.
std::size_t permuted(Graph& graph, std::size_t value, const std::vector<std::size_t>& order);

}  // namespace lockstep
