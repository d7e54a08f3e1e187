#include "src/graph/passes.hpp"

#include <algorithm>
#include <bit>

#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// Entries of the tree's stack above its bottom, over so many leaves.
std::int64_t stack_depth(std::int64_t leaves) {
  return std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(leaves, 1)));
}

Pass pass_of(const Graph::Step& step, const Pass& pass) {
  Pass its = pass;
  its.training = pass.training && !step.inference;
  return its;
}

}  // namespace

void run_forward(const Graph& graph, const Workspace& workspace, const Rows& rows, const Pass& pass,
                 Range ops) {
  for (std::int64_t i = ops.first; i < ops.last; ++i) {
    const auto op = static_cast<std::size_t>(i);
    if (!workspace.runs(op)) continue;
    const Graph::Step& step = graph.steps()[op];
    step.op->forward(pass_of(step, pass), {workspace.op(op), rows});
  }
}

void run_backward(const Graph& graph, const Workspace& workspace, const Rows& rows,
                  const Pass& pass, std::size_t op) {
  if (!workspace.has_backward(op)) return;
  const Graph::Step& step = graph.steps()[op];
  step.op->backward(pass_of(step, pass), {workspace.op(op), rows});
  for (const Workspace::Sum& sum : workspace.sums_after(op)) {
    const Matrix into = matrix_of(sum.into, rows);
    for (const BufferPlace& from : sum.from)
      kernels().sum(into.data, matrix_of(from, rows).data, into.data, into.size());
  }
}

ParameterGradients::ParameterGradients(const Graph& graph, const Workspace& workspace,
                                       const GradientPlan& plan, GradientWay way,
                                       std::int64_t most_grains)
    : graph_(graph), workspace_(workspace), plan_(plan) {
  std::int64_t largest = 0;
  for (const TrainedParameter& parameter : plan.parameters)
    if (parameter.way == way && parameter.uses.size() > 1)
      largest = std::max(largest, FloatBuffer::padded(element_count(parameter.parameter->shape)));
  scratch_ = FloatBuffer(largest * (stack_depth(most_grains) + 2));
}

void ParameterGradients::compute(const TrainedParameter& parameter, const Rows& rows,
                                 const Pass& pass, const Subtrees& subtrees, Range elements,
                                 float* out) {
  if (parameter.uses.size() > 1) return add_uses(parameter, rows, pass, subtrees, elements, out);
  const auto [op, number] = parameter.uses.front();
  graph_.steps()[op].op->gradient(pass, {workspace_.op(op), rows}, subtrees, number, elements, out);
}

void ParameterGradients::compute_owned(const Rows& rows, const Pass& pass, const Subtrees& subtrees,
                                       Range floats, float* out) {
  for (const TrainedParameter& trained : plan_.parameters) {
    const Range elements = trained.parameter->elements_within(floats);
    if (trained.way == GradientWay::kOwner && elements.count() > 0)
      compute(trained, rows, pass, subtrees, elements,
              out + trained.parameter->offset + elements.first - floats.first);
  }
}

void ParameterGradients::add_uses(const TrainedParameter& parameter, const Rows& rows,
                                  const Pass& pass, const Subtrees& subtrees, Range elements,
                                  float* out) {
  const std::int64_t count = elements.count();
  const std::int64_t stride = FloatBuffer::padded(count);
  float* const of_use = scratch_.span().data();
  float* const stack = of_use + stride;
  for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, out += subtrees.stride) {
    const Range samples = subtrees.samples[subtree];
    const std::int64_t grains = subtrees.grains(subtree);
    std::fill_n(out, count, 0.0f);
    std::int64_t entries = 0;
    const auto entry = [&](std::int64_t i) { return i == 0 ? out : stack + (i - 1) * stride; };
    for (std::int64_t grain = 0; grain < grains; ++grain) {
      const std::int64_t first = samples.first + grain * subtrees.grain;
      const Range leaf{first, std::min(first + subtrees.grain, samples.last)};
      const Subtrees one{.samples = {&leaf, 1}, .grain = subtrees.grain};
      bool begun = false;
      for (const auto& [op, number] : parameter.uses) {
        float* const target = begun ? of_use : entry(entries);
        graph_.steps()[op].op->gradient(pass, {workspace_.op(op), rows}, one, number, elements,
                                        target);
        if (begun) kernels().sum(entry(entries), of_use, entry(entries), count);
        begun = true;
      }
      ++entries;
      for (int merges = tree_merges_after(grain, grains); merges > 0; --merges) {
        --entries;
        kernels().sum(entry(entries - 1), entry(entries), entry(entries - 1), count);
      }
    }
  }
}

}  // namespace lockstep
