#pragma once

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// The sum over positions of the mean of (p - t)^2 over a position's K numbers.
double mean_squared_error(ConstMatrix predictions, const Targets& targets);
/// The sum over positions of the mean of |p - t|.
double mean_absolute_error(ConstMatrix predictions, const Targets& targets);

}  // namespace lockstep
