#pragma once

#include <memory>

#include "src/losses/loss.hpp"

namespace lockstep {

/// Keras's losses that are the mean over a position's K numbers p of a function of p and its target
/// t; d = p - t, e = 1e-7 (Keras's epsilon). Where a function has a corner, the derivative is
/// TensorFlow's.

std::unique_ptr<Loss> mean_squared_error();              ///< d^2
std::unique_ptr<Loss> mean_absolute_error();             ///< |d|
std::unique_ptr<Loss> mean_absolute_percentage_error();  ///< 100 |d| / max(|t|, e)
/// (log(1 + max(p, e)) - log(1 + max(t, e)))^2
std::unique_ptr<Loss> mean_squared_logarithmic_error();
/// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
std::unique_ptr<Loss> huber(double delta);
std::unique_ptr<Loss> log_cosh();  ///< log(cosh(d))
/// max(1 - t p, 0). Targets are -1 and 1; one of 0 counts as -1, since Keras takes targets of 0 and
/// 1, too.
std::unique_ptr<Loss> hinge();
std::unique_ptr<Loss> squared_hinge();  ///< the square of hinge's
std::unique_ptr<Loss> poisson();        ///< p - t log(p + e)

}  // namespace lockstep
