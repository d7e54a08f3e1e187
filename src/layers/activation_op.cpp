#include "src/layers/activation_op.hpp"

namespace lockstep {

Needs ActivationOp::needs() const {
  const bool by_input = needs_input(function_.kind);
  return {.forward_in_place = !by_input,
          .backward_in_place = true,
          .backward_reads_x = by_input,
          .backward_reads_y = !by_input && function_.kind != Activation::kLinear};
}

void ActivationOp::forward(const Pass&, const OpValues& values) const {
  copy_values(values.x(), values.y());
  activate(function_, values.y().with_columns(last_axis_));
}

void ActivationOp::backward(const Pass&, const OpValues& values) const {
  if (values.dx().empty()) return;
  activation_backward(function_, values.y().with_columns(last_axis_),
                      values.x().with_columns(last_axis_), values.dy().with_columns(last_axis_));
  copy_values(values.dy(), values.dx());
}

std::size_t activated(Graph& graph, std::size_t value, const ActivationFunction& function) {
  if (function.kind == Activation::kLinear) return value;
  const Shape shape = graph.shape(value);
  const std::int64_t last_axis = shape.empty() ? 1 : shape.back();
  return graph.add(std::make_unique<ActivationOp>(function, last_axis), {value}, shape);
}

}  // namespace lockstep
