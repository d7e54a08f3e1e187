#include "distributed/update/weight_constraints.hpp"

namespace lockstep {

WeightConstraints::WeightConstraints(const Network& model, const Objective& objective) {
  for (const Parameter* parameter : model.arena().parameters())
    if (parameter->constraint.active() && objective.aim().trains(*parameter))
      passes_.push_back({parameter, {parameter->constraint, parameter->shape}});
}

void WeightConstraints::apply(int part, int parts) {
  for (Constrained& each : passes_) each.pass.apply(each.parameter->value, part, parts);
}

}  // namespace lockstep
