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

std::vector<std::size_t> Aim::inputs(const Graph& graph) const {
  return begin_ ? std::vector{*begin_} : graph.inputs();
}

std::vector<bool> Aim::runs(const Graph& graph) const {
  std::vector<bool> runs(graph.ops(), true);
  if (output_) {
    std::vector<std::size_t> wanted = {*output_};
    if (const auto mask = graph.mask(*output_)) wanted.push_back(*mask);
    runs = leads_to(graph, wanted);
  }
  if (!begin_) return runs;
  const std::vector<bool> given = leads_to(graph, {&*begin_, 1});
  for (std::size_t op = 0; op < graph.ops(); ++op) runs[op] = runs[op] && !given[op];
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

std::vector<bool> leads_to(const Graph& graph, std::span<const std::size_t> values) {
  std::vector<bool> ops(graph.ops(), false), wanted(graph.values(), false);
  for (const std::size_t v : values) wanted[graph.storage(v)] = true;
  for (std::size_t op = graph.ops(); op-- > 0;) {
    const Graph::Step& step = graph.steps()[op];
    ops[op] = wanted[step.output];
    if (!ops[op]) continue;
    for (const std::size_t v : step.inputs) wanted[graph.storage(v)] = true;
  }
  return ops;
}

namespace {

bool trains(const Graph::Step& step, const Aim& aim) {
  return std::ranges::any_of(step.op->parameters(),
                             [&](const Parameter* parameter) { return aim.trains(*parameter); });
}

bool is_alike_in_every_epoch(const Graph::Step& step, const Aim& aim) {
  const Needs needs = step.op->needs();
  return !trains(step, aim) && !needs.carries &&
         (step.inference || (!needs.draws && needs.forward_sums == 0));
}

/// Whether, of all that is computed on the way to a value, the other ops that run read it alone.
bool hides_what_leads_there(const Graph& graph, const Aim& aim, std::size_t value) {
  const std::vector<bool> before = leads_to(graph, {&value, 1}), runs = aim.runs(graph);
  std::vector<bool> hidden(graph.values(), false);
  for (const std::size_t v : graph.inputs()) hidden[graph.storage(v)] = true;
  for (std::size_t op = 0; op < graph.ops(); ++op)
    if (before[op]) hidden[graph.steps()[op].output] = true;
  hidden[value] = false;
  const auto is_hidden = [&](std::size_t v) { return hidden[graph.storage(v)]; };
  for (std::size_t op = 0; op < graph.ops(); ++op)
    if (runs[op] && !before[op] && std::ranges::any_of(graph.steps()[op].inputs, is_hidden))
      return false;
  const std::size_t output = aim.output(graph);
  return !is_hidden(output) && !(graph.mask(output) && is_hidden(*graph.mask(output)));
}

bool has_weights(const Graph& graph, std::size_t value) {
  const std::vector<bool> before = leads_to(graph, {&value, 1});
  for (std::size_t op = 0; op < graph.ops(); ++op) {
    const Op& its = *graph.steps()[op].op;
    if (before[op] && !its.parameters().empty() && !its.looks_up()) return true;
  }
  return false;
}

}  // namespace

std::optional<std::size_t> frozen_front(const Graph& graph, const Aim& aim) {
  std::vector<bool> alike(graph.values(), false);
  for (const std::size_t v : graph.inputs()) alike[graph.storage(v)] = true;
  std::vector<std::size_t> candidates;
  for (const Graph::Step& step : graph.steps()) {
    alike[step.output] =
        is_alike_in_every_epoch(step, aim) &&
        std::ranges::all_of(step.inputs, [&](std::size_t v) { return alike[graph.storage(v)]; });
    if (alike[step.output]) candidates.push_back(step.output);
  }
  while (!candidates.empty() && !hides_what_leads_there(graph, aim, candidates.back()))
    candidates.pop_back();
  const auto trained = [&](const Graph::Step& step) { return trains(step, aim); };
  if (candidates.empty() || !has_weights(graph, candidates.back()) ||
      std::ranges::none_of(graph.steps(), trained))
    return std::nullopt;
  return candidates.back();
}

}  // namespace lockstep
