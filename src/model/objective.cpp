#include "src/model/objective.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"

namespace lockstep {
namespace {

/// The activation that the first ops of the graph end with.
Activation final_activation(const Graph& graph, std::size_t ops, std::size_t output) {
  if (ops == 0) return Activation::kLinear;
  const Graph::Step& last = graph.steps()[ops - 1];
  const auto* activation = dynamic_cast<const ActivationOp*>(last.op.get());
  if (activation == nullptr || last.output != graph.storage(output)) return Activation::kLinear;
  return activation->function().kind;
}

}  // namespace

Objective::Objective(const Graph& graph, const nlohmann::ordered_json& optimizer,
                     const nlohmann::ordered_json& loss, const nlohmann::ordered_json& metrics,
                     Aim aim)
    : optimizer_(make_optimizer(optimizer)), loss_(make_loss(loss)), aim_(std::move(aim)) {
  const std::size_t value = aim_.output(graph);
  const Shape& output = graph.shape(value);
  columns_ = output.empty() ? 1 : output.back();
  positions_ = columns_ == 0 ? 0 : element_count(output) / columns_;
  if (const auto mask = graph.mask(value)) {
    check(element_count(graph.shape(*mask)) == positions_, ExitCode::kBadData,
          "[loss] expected a mask of each of {} positions of the output, got one of {}", positions_,
          to_string_batched(graph.shape(*mask)));
    const auto op = std::ranges::find(graph.steps(), graph.storage(*mask), &Graph::Step::output);
    mask_op_ = static_cast<std::size_t>(op - graph.steps().begin());
  }
  for (const auto& metric : metrics) {
    auto made = make_metric(metric, columns_, loss_->target_kind());
    check(std::ranges::none_of(metrics_, [&](const auto& m) { return m->name() == made->name(); }),
          ExitCode::kBadData, "[metric] expected different names, got '{0}' twice: {0}(name=...)",
          made->name());
    loss_sums_ += made->sums();
    metrics_.push_back(std::move(made));
  }
  const std::vector<bool> runs = aim_.runs(graph);
  for (std::size_t op = 0; op < graph.ops(); ++op)
    if (runs[op] && graph.steps()[op].op->needs().adds_to_loss) penalty_ops_.push_back(op);
  if (!penalty_ops_.empty()) loss_sums_ += 1;
  if (mask_op_) loss_sums_ += 1;
  const std::size_t all = aim_.ops(graph);
  fused_ = loss_->fuses(final_activation(graph, all, value));
  ops_ = all - (fused_ ? 1 : 0);
}

}  // namespace lockstep
