#pragma once

#include <optional>
#include <string>

#include "src/layers/kernel_and_bias.hpp"
#include "src/layers/layer.hpp"
#include "src/layers/window.hpp"

namespace lockstep {

/// The gradient of a convolution by its input, as a layer: Keras's Conv1DTranspose, Conv2DTranspose
/// and Conv3DTranspose.  x: (batch, positions ..., in), kernel: (size ..., filters, in), b:
/// (filters), y: (batch, positions of the output ..., filters). The convolution that it is the
/// gradient of takes y's positions, with the same window, to x's: the *mirrored* one.
class ConvolutionTranspose final : public Layer {
 public:
  using Options = KernelAndBias;

  /// `output_padding`: of each axis, less than its stride; empty: as many positions as Keras gives
  /// the output then. Throws Error (65) unless filters are positive and the padding is no causal
  /// one.
  ConvolutionTranspose(std::int64_t filters, Window window,
                       Activation activation = Activation::kLinear, Shape output_padding = {},
                       Options options = {});

  std::string class_name() const override;
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  /// The mirrored convolution.
  ConvolutionShape mirrored(const Shape& input) const;

  std::int64_t filters_;
  Window window_;
  Activation activation_;
  Shape output_padding_;
  Options options_;
  std::int64_t inputs_ = 0;
};

/// Positions of the output along one axis, and those that padding cuts off in
/// front, as Keras's TensorFlow and JAX backends compute them. <= 0: none is left.
WindowSteps transposed_steps(std::int64_t input, std::int64_t size, std::int64_t stride,
                             std::int64_t dilation, Padding padding,
                             std::optional<std::int64_t> output_padding);

}  // namespace lockstep
