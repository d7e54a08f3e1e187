#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/layers/layer.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {

/// What Keras's recurrent layers are told. The initializers' and regularizers' defaults are
/// Keras's.
struct RecurrentOptions {
  Activation activation = Activation::kTanh;
  Activation recurrent_activation = Activation::kSigmoid;  ///< not of a SimpleRNN
  bool use_bias = true;
  std::shared_ptr<const Initializer> kernel_initializer =
      make_initializer(std::string("glorot_uniform"));
  std::shared_ptr<const Initializer> recurrent_initializer =
      make_initializer(std::string("orthogonal"));
  std::shared_ptr<const Initializer> bias_initializer = make_initializer(std::string("zeros"));
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {};
  bool unit_forget_bias = true;  ///< LSTM: the bias of f begins as ones
  double dropout = 0;            ///< of the inputs; one mask for all steps
  double recurrent_dropout = 0;  ///< of the state that the recurrent kernel reads; the same
  bool return_sequences = false;
  bool go_backwards = false;
  bool unroll = false;                ///< Keras's; without effect
  bool zero_output_for_mask = false;  ///< else a masked step repeats the output before it
};

/// Keras's SimpleRNN, LSTM and GRU.  x: (batch, steps, in), y: (batch, units), or (batch, steps,
/// units) with return_sequences, in the order of the steps. kernel: (in, k units),
/// recurrent_kernel: (units, k units), bias: (k units), of a GRU with reset_after (2, k units);
/// k: 1, 4 (i, f, c, o) or 3 (z, r, h).
class Recurrent final : public Layer {
 public:
  using Options = RecurrentOptions;

  Recurrent(CellKind kind, std::int64_t units, Options options = {});

  std::string class_name() const override;
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;
  std::vector<Activation> activations() const override;

  const Options& options() const { return options_; }
  std::int64_t units() const { return units_; }

  // --- For Bidirectional, which has two of them ---

  /// For inputs (steps, features) of the layer `name`, whose they become.
  std::vector<Parameter> make_parameters(const std::string& name, const Shape& input) const;
  struct Use {
    bool go_backwards = false;
    bool in_input_order = false;  ///< of a sequence that comes out
    bool second = false;          ///< random numbers of its own
    bool zeros_for_mask = false;  ///< a masked step's output is 0
    std::uint32_t key = 0;
  };
  /// `parameters`: as make_parameters() has made them.
  std::size_t add_ops(const std::string& name, Graph& graph, std::size_t input,
                      std::span<Parameter> parameters, const Use& use) const;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  /// Columns of the kernels by units.
  std::int64_t gates() const;

  CellKind kind_;
  std::int64_t units_;
  Options options_;
};

}  // namespace lockstep
