#include "src/graph/aim.hpp"

#include <algorithm>
#include <functional>

namespace lockstep {

Aim::Aim(std::size_t output, std::vector<const Parameter*> parameters)
    : output_(output), parameters_(std::move(parameters)) {
  std::ranges::sort(parameters_, std::less<>());
}

bool Aim::trains(const Parameter& parameter) const {
  return parameter.trained() &&
         (is_whole() || std::ranges::binary_search(parameters_, &parameter, std::less<>()));
}

std::vector<bool> Aim::runs(const Graph& graph) const {
  std::vector<bool> runs(graph.ops(), is_whole());
  if (is_whole()) return runs;
  std::vector<bool> leads(graph.values(), false);
  leads[graph.storage(*output_)] = true;
  if (const auto mask = graph.mask(*output_)) leads[graph.storage(*mask)] = true;
  for (std::size_t op = graph.ops(); op-- > 0;) {
    const Graph::Step& step = graph.steps()[op];
    runs[op] = leads[step.output];
    if (!runs[op]) continue;
    for (const std::size_t v : step.inputs) leads[graph.storage(v)] = true;
  }
  return runs;
}

std::size_t Aim::ops(const Graph& graph) const {
  const std::vector<bool> all = runs(graph);
  std::size_t ops = graph.ops();
  while (ops > 0 && !all[ops - 1]) --ops;
  return ops;
}

std::vector<bool> Aim::needs_gradient(const Graph& graph) const {
  const std::vector<bool> run = runs(graph);
  std::vector<bool> needs(graph.values(), false);
  for (std::size_t op = 0; op < graph.ops(); ++op) {
    const Graph::Step& step = graph.steps()[op];
    const auto trained = [this](const Parameter* parameter) { return trains(*parameter); };
    needs[step.output] =
        run[op] && step.op->needs().passes_gradient &&
        (std::ranges::any_of(step.op->parameters(), trained) ||
         std::ranges::any_of(step.inputs, [&](std::size_t v) { return needs[graph.storage(v)]; }));
  }
  return needs;
}

}  // namespace lockstep
