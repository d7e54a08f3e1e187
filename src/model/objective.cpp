#include "src/model/objective.hpp"

#include <nlohmann/json.hpp>

#include "src/layers/activation_op.hpp"

namespace lockstep {
namespace {

/// The activation that the graph ends with.
Activation final_activation(const Graph& graph) {
  if (graph.ops() == 0) return Activation::kLinear;
  const Graph::Step& last = graph.steps().back();
  const auto* activation = dynamic_cast<const ActivationOp*>(last.op.get());
  if (activation == nullptr || last.output != graph.storage(graph.output()))
    return Activation::kLinear;
  return activation->function().kind;
}

}  // namespace

Objective::Objective(const Graph& graph, const nlohmann::ordered_json& optimizer,
                     const nlohmann::ordered_json& loss, const nlohmann::ordered_json& metrics)
    : optimizer_(make_optimizer(optimizer)), loss_(make_loss(loss)) {
  const Shape& output = graph.shape(graph.output());
  const std::int64_t columns = output.empty() ? 1 : output.back();
  for (const auto& metric : metrics)
    metrics_.push_back(make_metric(metric, columns, loss_->target_kind()));
  fused_ = loss_->fuses(final_activation(graph));
  ops_ = graph.ops() - (fused_ ? 1 : 0);
}

}  // namespace lockstep
