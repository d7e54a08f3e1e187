#pragma once

#include <memory>
#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// y = activation(x W + b), over the last axis.  x: (batch, ..., in), W: (in, units), b: (units),
/// y: (batch, ..., units).
class Dense final : public Layer {
 public:
  struct Options {
    bool use_bias = true;
    std::shared_ptr<const Initializer> kernel_initializer =
        make_initializer(std::string("glorot_uniform"));
    std::shared_ptr<const Initializer> bias_initializer = make_initializer(std::string("zeros"));
    Regularizer kernel_regularizer = {};
    Regularizer bias_regularizer = {};
  };

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
