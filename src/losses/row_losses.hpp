#pragma once

#include <memory>

#include "src/losses/loss.hpp"

namespace lockstep {

/// Keras's losses of a position's K numbers p and targets t together.

/// sum of t log(t / p), both clipped to [1e-7, 1]
std::unique_ptr<Loss> kl_divergence();
/// max(max of (1 - t) p - sum of t p + 1, 0), t one-hot
std::unique_ptr<Loss> categorical_hinge();
/// -(sum of p t) / (|p| |t|), where lengths below 1e-7 count as that
std::unique_ptr<Loss> cosine_similarity();

}  // namespace lockstep
