#include "src/graph/gradient_plan.hpp"

#include <algorithm>
#include <map>

namespace lockstep {
namespace {

/// Every trained parameter with its uses, in the order of the arena.
std::vector<TrainedParameter> trained_parameters(const Graph& graph, const Aim& aim) {
  const std::vector<bool> runs = aim.runs(graph);
  std::map<std::int64_t, TrainedParameter> found;
  for (std::size_t op = 0; op < graph.ops(); ++op) {
    if (!runs[op]) continue;
    const auto parameters = graph.steps()[op].op->parameters();
    for (std::size_t number = 0; number < parameters.size(); ++number) {
      const Parameter& parameter = *parameters[number];
      if (!aim.trains(parameter)) continue;
      auto& entry = found.try_emplace(parameter.offset).first->second;
      entry.parameter = &parameter;
      entry.uses.push_back({op, number});
    }
  }
  std::vector<TrainedParameter> all;
  for (auto& [offset, parameter] : found) all.push_back(std::move(parameter));
  return all;
}

}  // namespace

bool GradientPlan::any(GradientWay way) const {
  return std::ranges::any_of(parameters, [&](const auto& p) { return p.way == way; });
}

std::int64_t GradientPlan::partial_at(std::int64_t float_of_arena) const {
  const auto behind =
      std::ranges::upper_bound(parameters, float_of_arena, {},
                               [](const TrainedParameter& p) { return p.parameter->offset; });
  if (behind == parameters.begin()) return 0;
  const TrainedParameter& found = *std::prev(behind);
  return found.partial_at + float_of_arena - found.parameter->offset;
}

GradientPlan plan_gradients(const Graph& graph, const std::vector<GradientWay>& way_of_op,
                            const Aim& aim) {
  GradientPlan plan;
  plan.parameters = trained_parameters(graph, aim);
  for (TrainedParameter& parameter : plan.parameters) {
    const bool by_rows = std::ranges::any_of(parameter.uses, [&](const auto& use) {
      return way_of_op[use.op] == GradientWay::kRows ||
             graph.steps()[use.op].op->needs().backward_sums > 0;
    });
    const bool touched = std::ranges::all_of(parameter.uses, [&](const auto& use) {
      return way_of_op[use.op] == GradientWay::kTouched;
    });
    parameter.way = touched   ? GradientWay::kTouched
                    : by_rows ? GradientWay::kRows
                              : GradientWay::kOwner;
  }
  for (TrainedParameter& parameter : plan.parameters) {
    if (parameter.way != GradientWay::kRows) continue;
    parameter.partial_at = plan.partial_floats;
    plan.partial_floats += FloatBuffer::padded(element_count(parameter.parameter->shape));
  }
  return plan;
}

GradientPlan plan_gradients(const Graph& graph, GradientWay wanted, const Aim& aim) {
  return plan_gradients(graph, std::vector<GradientWay>(graph.ops(), wanted), aim);
}

}  // namespace lockstep
