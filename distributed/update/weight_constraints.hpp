#pragma once

#include <span>
#include <vector>

#include "src/model/network.hpp"

namespace lockstep {

/// Keras's constraints, when a step has updated all weights: they look at whole weights, not at
/// shards. (Also in steps that only accumulate gradients.)
class WeightConstraints {
 public:
  /// Of the weights that the objective trains. The references must outlive this object.
  WeightConstraints(const Network& model, const Objective& objective);

  bool any() const { return !passes_.empty(); }
  /// Part `part` of `parts` of every weight, which may be done at the same time.
  void apply(int part, int parts);

 private:
  struct Constrained {
    const Parameter* parameter;
    ConstraintPass pass;
  };
  std::vector<Constrained> passes_;
};

}  // namespace lockstep
