#pragma once

#include <string>

#include "src/layers/kernel_and_bias.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// y = activation(x W + b), over the last axis.  x: (batch, ..., in), W: (in, units), b: (units),
/// y: (batch, ..., units).
class Dense final : public Layer {
 public:
  using Options = KernelAndBias;

  explicit Dense(std::int64_t units, Activation activation = Activation::kLinear);
  Dense(std::int64_t units, Activation activation, Options options);

  std::string class_name() const override { return "Dense"; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::int64_t units_;
  Activation activation_;
  Options options_;
  std::int64_t inputs_ = 0;
};

}  // namespace lockstep
