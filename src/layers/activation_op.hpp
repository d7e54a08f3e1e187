#pragma once

#include "src/activations/activation.hpp"
#include "src/graph/graph.hpp"

namespace lockstep {

/// y = activation(x), by rows of the last axis for softmax and log_softmax.
class ActivationOp final : public Op {
 public:
  ActivationOp(const ActivationFunction& function, std::int64_t last_axis)
      : function_(function), last_axis_(last_axis) {}

  Needs needs() const override;
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;

  const ActivationFunction& function() const { return function_; }

 private:
  ActivationFunction function_;
  std::int64_t last_axis_;
};

/// The value with the activation behind it, over its last axis: itself if that is linear.
std::size_t activated(Graph& graph, std::size_t value, const ActivationFunction& function);

}  // namespace lockstep
