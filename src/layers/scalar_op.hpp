#pragma once

#include "src/graph/graph.hpp"

namespace lockstep {

/// The value times a parameter of one element. Its gradient: sums of x dy, one chain over samples,
/// in each over the elements, ascending.
std::size_t times_scalar(Graph& graph, std::size_t value, Parameter& scalar);

}  // namespace lockstep
