#pragma once

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// Keras's accuracies. Each returns the sum over positions;
/// predictions: (positions, K).

/// The share of a position's K numbers with (p > threshold) == t.
double binary_accuracy(ConstMatrix predictions, const Targets& targets, double threshold);
/// 1 where argmax(p) == argmax(t). Of equal numbers the first counts as largest.
double categorical_accuracy(ConstMatrix predictions, const Targets& targets);
/// 1 where argmax(p) is the class.
double sparse_categorical_accuracy(ConstMatrix predictions, const Targets& targets);
/// 1 where fewer than k predictions are larger than that of argmax(t); 0 if one is not finite.
double top_k_categorical_accuracy(ConstMatrix predictions, const Targets& targets, std::int64_t k);
/// The same for classes; one that is not in [0, K) is a miss.
double sparse_top_k_categorical_accuracy(ConstMatrix predictions, const Targets& targets,
                                         std::int64_t k);

}  // namespace lockstep
