#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/layers/recurrent_cell.hpp"
#include "src/layers/recurrent_layer.hpp"

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
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  bool unit_forget_bias = true;  ///< LSTM: the bias of f begins as ones
  double dropout = 0;            ///< of the inputs; one mask for all steps
  double recurrent_dropout = 0;  ///< of the state that the recurrent kernel reads; the same
  bool return_sequences = false;
  bool return_state = false;
  bool go_backwards = false;
  bool unroll = false;                ///< Keras's; without effect
  bool zero_output_for_mask = false;  ///< else a masked step repeats the output before it
  bool stateful = false;  ///< begins with the states in which the batch before has ended
};

/// Keras's SimpleRNN, LSTM and GRU.  x: (batch, steps, in), y: (batch, units), or (batch, steps,
/// units) with return_sequences, in the order of the steps. kernel: (in, k units),
/// recurrent_kernel: (units, k units), bias: (k units), of a GRU with reset_after (2, k units);
/// k: 1, 4 (i, f, c, o) or 3 (z, r, h). States: (batch, units), h, of an LSTM h and c.
class Recurrent final : public RecurrentLayer {
 public:
  using Options = RecurrentOptions;

  Recurrent(CellKind kind, std::int64_t units, Options options = {});

  std::string class_name() const override;
  nlohmann::ordered_json config() const override;
  std::vector<Activation> activations() const override;

  const Options& options() const { return options_; }
  bool return_sequences() const override { return options_.return_sequences; }
  bool return_state() const override { return options_.return_state; }
  std::vector<std::size_t> states() const override {
    return std::vector<std::size_t>(state_count(), 1);
  }
  bool go_backwards() const override { return options_.go_backwards; }
  bool zero_output_for_mask() const override { return options_.zero_output_for_mask; }
  bool stateful() const override { return options_.stateful; }
  std::int64_t units() const override { return units_; }

  std::vector<Parameter> make_parameters(const std::string& name,
                                         const Shape& input) const override;
  std::vector<std::size_t> add_ops(const std::string& name, Graph& graph, std::size_t input,
                                   std::span<Parameter> parameters, const Use& use) const override {
    return add_ops(name, graph, input, parameters, use,
                   {options_.return_sequences, options_.return_state});
  }

  // --- For RNN, which is made of its cells ---

  struct Returns {
    bool sequences, state;
  };
  std::vector<std::size_t> add_ops(const std::string& name, Graph& graph, std::size_t input,
                                   std::span<Parameter> parameters, const Use& use,
                                   Returns returns) const;
  std::size_t state_count() const { return kind_ == CellKind::kLstm ? 2 : 1; }
  std::size_t parameter_count() const { return options_.use_bias ? 3 : 2; }
  /// Of the cell that Keras makes it of.
  nlohmann::ordered_json cell_config() const;

 private:
  /// Columns of the kernels by units.
  std::int64_t gates() const;

  CellKind kind_;
  std::int64_t units_;
  Options options_;
};

/// The bias of an LSTM with unit_forget_bias: its f begins as ones, the others as `rest` says.
std::shared_ptr<const Initializer> unit_forget_bias(std::shared_ptr<const Initializer> rest);

}  // namespace lockstep
