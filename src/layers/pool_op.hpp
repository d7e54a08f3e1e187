#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/core/range.hpp"
#include "src/core/shape.hpp"
#include "src/graph/graph.hpp"

namespace lockstep {

enum class Pool : std::uint8_t { kMax, kAverage };

/// Which positions each output position is taken of: a box, of one range on each axis. No range is
/// empty, none reaches over the input, and they ascend.
struct PoolWindows {
  std::array<std::vector<Range>, 3> axes = {{{{0, 1}}, {{0, 1}}, {{0, 1}}}};
};

/// max: the largest element of each window, a NaN if there is one; the gradient goes to the first
/// such cell in row-major order. average: the sum in double, cells in row-major order, divided by
/// their number, and then rounded. Where windows overlap, a cell's gradients are added in ascending
/// order of the outputs. value: (positions of each axis ..., channels).
std::size_t add_pooling(Graph& graph, std::size_t value, Pool pool, PoolWindows windows,
                        const Shape& output);

}  // namespace lockstep
