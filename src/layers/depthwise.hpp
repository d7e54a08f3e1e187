#pragma once

#include <string>

#include "src/layers/kernel_and_bias.hpp"
#include "src/layers/layer.hpp"
#include "src/layers/window.hpp"

namespace lockstep {

/// DepthwiseConv1D and DepthwiseConv2D: each channel has `multiplier` kernels of its own, and no
/// other channel has a part in what they give.  x: (batch, positions ..., channels), W: (extents
/// ..., channels, multiplier), b: (channels * multiplier), y: (batch, positions ..., channels *
/// multiplier).
class DepthwiseConv final : public Layer {
 public:
  using Options = KernelAndBias;

  /// A positive multiplier; one or two axes, no causal padding.
  DepthwiseConv(Window window, std::int64_t multiplier, Activation activation, Options options);

  std::string class_name() const override;
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  Window window_;
  std::int64_t multiplier_;
  Activation activation_;
  Options options_;
  std::int64_t channels_ = 0;
};

}  // namespace lockstep
