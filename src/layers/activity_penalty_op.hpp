#pragma once

#include <memory>

#include "src/graph/op.hpp"
#include "src/parameters/regularizer.hpp"

namespace lockstep {

/// y = the penalty of a sample's numbers, in double over its elements, then rounded. Its mean over
/// the batch is a part of the loss.
/// x: (batch, ...), y: (batch, 1).
std::unique_ptr<Op> make_activity_penalty_op(const Regularizer& regularizer);

}  // namespace lockstep
