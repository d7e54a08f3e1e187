#pragma once

#include <cstdint>
#include <optional>

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// How many predicted numbers say yes, and how many targets do.
struct Confusion {
  double true_positives = 0;
  double false_positives = 0;
  double true_negatives = 0;
  double false_negatives = 0;

  // Each 0 where it would be 0 / 0.
  double precision() const;    ///< tp / (tp + fp)
  double recall() const;       ///< tp / (tp + fn), also called sensitivity
  double specificity() const;  ///< tn / (tn + fp)
  double fall_out() const;     ///< fp / (tn + fp)
};

/// a / b, 0 where b is 0.
double ratio(double a, double b);

/// Which numbers of a position count, and when one says yes, in float32. A target says yes unless
/// it is 0.
struct ConfusionRule {
  float threshold = 0.5f;                     ///< p > threshold
  bool or_equal = false;                      ///< p >= threshold
  std::optional<std::int64_t> top_k = {};     ///< and among the k largest; of equal ones the first
  std::optional<std::int64_t> class_id = {};  ///< this column alone
};

Confusion confusion_of(ConstMatrix predictions, const Targets& targets, const ConfusionRule& rule);

}  // namespace lockstep
