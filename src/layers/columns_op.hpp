#pragma once

#include <cstddef>
#include <cstdint>

#include "src/core/shape.hpp"
#include "src/graph/graph.hpp"

namespace lockstep {

/// Some consecutive elements of each sample, from number `first`, as a value of its own.
std::size_t columns_of(Graph& graph, std::size_t value, std::int64_t first, const Shape& shape);

}  // namespace lockstep
