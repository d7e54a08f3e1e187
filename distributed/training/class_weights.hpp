#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/data/batch.hpp"
#include "src/model/objective.hpp"

namespace lockstep {

/// Keras's class_weight, as text "0:1, 3:2.5", or "balanced": rows / (classes * rows of the class),
/// of the rows that are trained on.
struct ClassWeightOption {
  bool balanced = false;
  std::vector<std::pair<std::int64_t, double>> weights;

  bool empty() const { return !balanced && weights.empty(); }
};
/// Throws Error (64).
ClassWeightOption read_class_weights(const std::string& text);
std::string to_text(const ClassWeightOption& option);

/// What a sample counts for the loss in training, by its class: that of its label, or where the
/// largest of its targets stands. Classes that are not named count as 1. As in Keras, the mean is
/// still over the number of samples, and metrics and validation know of no weights.
class ClassWeights {
 public:
  ClassWeights() = default;
  /// Throws Error (65) if a class is named that the outputs lack, or samples have several
  /// positions. `y`: the targets of all rows that are trained on.
  ClassWeights(const ClassWeightOption& option, const Objective& objective, const ArrayView& y);

  bool empty() const { return by_class_.empty(); }
  float of(const Targets& targets, std::int64_t position) const;

 private:
  void balance(const Objective& objective, const ArrayView& y);

  std::vector<float> by_class_;
};

}  // namespace lockstep
