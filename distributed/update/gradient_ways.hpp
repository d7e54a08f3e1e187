#pragma once

#include <cstdint>
#include <vector>

#include "src/graph/gradient_plan.hpp"

namespace lockstep {

/// Who computes the gradients of each op, on a host of so many ranks that work on so many rows in a
/// step: whatever lets fewer floats cross from core to core. An owner reads of the other ranks'
/// rows its columns of the op's input, all of the gradient by its output and all that the op keeps;
/// by rows, every rank writes all of the op's gradients, and their owners read them. A rank that is
/// alone reads nothing. These are wishes: plan_gradients() turns some into kRows. A pure function.
std::vector<GradientWay> choose_gradient_ways(const Graph& graph, int host_ranks,
                                              std::int64_t host_rows, const Aim& aim = {});

}  // namespace lockstep
