#pragma once

#include <cstdint>
#include <memory>

#include "src/graph/op.hpp"

namespace lockstep {

/// An op of single steps on samples of `steps` of them: to it each step is a row, those of a sample
/// one behind the other. So its gradients go, per grain, over (sample, step) ascending, and its
/// random numbers are drawn for each pair.
std::unique_ptr<Op> over_steps(std::unique_ptr<Op> op, std::int64_t steps);

}  // namespace lockstep
