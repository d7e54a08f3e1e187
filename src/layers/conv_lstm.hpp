#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/layers/recurrent.hpp"
#include "src/layers/window.hpp"

namespace lockstep {

/// Keras's ConvLSTM1D, 2D and 3D (Shi et al., 2015): an LSTM whose products are convolutions.
/// x: (batch, steps, positions ..., channels), y: (batch, positions ..., filters), or of all steps
/// with return_sequences, in their order. kernel: (window ..., channels, 4 filters),
/// recurrent_kernel: (window ..., filters, 4 filters), of stride 1 and 'same', bias: (4 filters);
/// i, f, c, o. Each gate has dropout of its own, of the input and of the state.
/// A mask may be that of each step, or of each of its positions, if the output has the same ones.
class ConvLstm final : public RecurrentLayer {
 public:
  ConvLstm(std::int64_t filters, Window window, RecurrentOptions options);

  std::string class_name() const override;  ///< "ConvLSTM2D" with two axes
  bool return_sequences() const override { return options_.return_sequences; }
  bool go_backwards() const override { return options_.go_backwards; }
  bool zero_output_for_mask() const override { return options_.zero_output_for_mask; }
  std::int64_t units() const override { return filters_; }
  std::vector<Activation> activations() const override {
    return {options_.activation, options_.recurrent_activation};
  }
  nlohmann::ordered_json config() const override;

  std::vector<Parameter> make_parameters(const std::string& name,
                                         const Shape& input) const override;
  std::vector<std::size_t> add_ops(const std::string& name, Graph& graph, std::size_t input,
                                   std::span<Parameter> parameters, const Use& use) const override;

 private:
  /// The input's convolution, of one step.
  ConvolutionShape shape_over(const std::string& name, const Shape& input) const;

  std::int64_t filters_;
  Window window_;
  RecurrentOptions options_;
};

}  // namespace lockstep
