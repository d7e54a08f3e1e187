#pragma once

#include <memory>
#include <string>

#include "src/layers/kernel_and_bias.hpp"
#include "src/layers/layer.hpp"
#include "src/layers/window.hpp"

namespace lockstep {

/// SeparableConv1D and SeparableConv2D: each channel is convolved alone, then channels are mixed at
/// each position.  x: (batch, positions ..., channels), depthwise kernel: (extents ..., channels,
/// multiplier), pointwise kernel: (1 ..., channels * multiplier, filters), b: (filters), y: (batch,
/// positions ..., filters).
class SeparableConv final : public Layer {
 public:
  struct Options {
    std::int64_t multiplier = 1;
    KernelAndBias pointwise = {};  ///< and the bias
    std::shared_ptr<const Initializer> depthwise_initializer =
        make_initializer(std::string("glorot_uniform"));
    Regularizer depthwise_regularizer = {};
    Constraint depthwise_constraint = {};
  };

  /// Positive filters and multiplier; one or two axes, else Error (65).
  SeparableConv(std::int64_t filters, Window window, Activation activation, Options options);

  std::string class_name() const override;
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  std::int64_t filters_;
  Window window_;
  Activation activation_;
  Options options_;
  std::int64_t channels_ = 0;
};

}  // namespace lockstep
