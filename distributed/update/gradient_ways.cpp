#include "distributed/update/gradient_ways.hpp"

namespace lockstep {
namespace {

GradientWay way_of(const Graph& graph, const Graph::Step& step, int ranks, std::int64_t rows,
                   const Aim& aim) {
  if (ranks == 1) return GradientWay::kRows;
  std::int64_t parameters = 0;
  for (const Parameter* parameter : step.op->parameters())
    if (aim.trains(*parameter)) parameters += element_count(parameter->shape);
  if (parameters == 0) return GradientWay::kRows;
  const std::int64_t inputs = element_count(graph.shape(step.inputs[0]));
  // What gradients read beside x: the gradient by y, and what the op keeps.
  const std::int64_t outputs =
      element_count(graph.shape(step.output)) + step.op->needs().kept_per_row;
  // Columns of x that an owner of one element reads: all, or a part of them.
  const std::int64_t one = step.op->gradient_columns(0, {0, 1}, inputs).count();
  const std::int64_t by_owner = rows * (ranks * outputs + (one == inputs ? ranks : 1) * inputs);
  const std::int64_t by_rows = 2 * ranks * parameters;
  return by_owner <= by_rows ? GradientWay::kOwner : GradientWay::kRows;
}

}  // namespace

std::vector<GradientWay> choose_gradient_ways(const Graph& graph, int host_ranks,
                                              std::int64_t host_rows, const Aim& aim) {
  std::vector<GradientWay> ways;
  for (const Graph::Step& step : graph.steps())
    ways.push_back(way_of(graph, step, host_ranks, host_rows, aim));
  return ways;
}

}  // namespace lockstep
