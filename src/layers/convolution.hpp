#pragma once

#include <string>

#include "src/layers/kernel_and_bias.hpp"
#include "src/layers/layer.hpp"
#include "src/layers/window.hpp"

namespace lockstep {

/// y = activation(kernel over the positions of x + b): Keras's Conv1D, Conv2D and Conv3D, by the
/// number of the window's axes.  x: (batch, positions ..., in), kernel: (size ..., in / groups,
/// filters), b: (filters), y: (batch, positions of the output ..., filters).
class Convolution final : public Layer {
 public:
  using Options = KernelAndBias;

  /// Throws Error (65) unless filters and groups are positive and groups divide the filters.
  Convolution(std::int64_t filters, Window window, Activation activation = Activation::kLinear,
              std::int64_t groups = 1, Options options = {});

  std::string class_name() const override;
  OnMask on_mask() const override { return OnMask::kEnds; }
  nlohmann::ordered_json config() const override;
  Activation final_activation() const override { return activation_; }

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  ConvolutionShape shape_over(const Shape& input) const;

  std::int64_t filters_;
  Window window_;
  Activation activation_;
  std::int64_t groups_;
  Options options_;
  std::int64_t inputs_ = 0;
};

/// y = kernel applied to x, + bias if there is one, then relu if wanted. `parameters`: kernel,
/// bias.
std::unique_ptr<Op> make_convolution_op(std::vector<Parameter*> parameters,
                                        const ConvolutionShape& shape, std::size_t axes, bool relu);

}  // namespace lockstep
