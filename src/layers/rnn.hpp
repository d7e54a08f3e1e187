#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/layers/recurrent.hpp"

namespace lockstep {

/// One step of a recurrent layer, as Keras has it as a layer: what an RNN is made of. It is applied
/// by an RNN alone.
class CellLayer : public Layer {
 public:
  /// A cell that computes: its layer, where its parameters stand in files, and whether they are
  /// trained.
  struct Part {
    const Recurrent* recurrent;
    std::string scope, store;
    bool trainable;
  };
  /// Those that it is made of, in their order.
  virtual std::vector<Part> parts() const = 0;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
};

/// Keras's SimpleRNNCell, LSTMCell and GRUCell.
class Cell final : public CellLayer {
 public:
  Cell(CellKind kind, std::int64_t units, RecurrentOptions options)
      : recurrent_(kind, units, std::move(options)) {}

  std::string class_name() const override { return recurrent_.class_name() + "Cell"; }
  std::vector<Activation> activations() const override { return recurrent_.activations(); }
  nlohmann::ordered_json config() const override;
  std::vector<Part> parts() const override { return {{&recurrent_, name(), "", trainable()}}; }

 private:
  Recurrent recurrent_;
};

/// Keras's StackedRNNCells: in each step the output of a cell is the next one's input.
class StackedCells final : public CellLayer {
 public:
  /// At least one.
  explicit StackedCells(std::vector<std::unique_ptr<CellLayer>> cells);

  std::string class_name() const override { return "StackedRNNCells"; }
  std::vector<Activation> activations() const override;
  nlohmann::ordered_json config() const override;
  std::vector<Part> parts() const override;
  /// No cell of it is a stack.
  bool is_flat() const;

 private:
  std::vector<std::unique_ptr<CellLayer>> cells_;
};

/// Keras's RNN: a cell over the steps of a sequence.  x: (batch, steps, in), y: (batch, units), or
/// (batch, steps, units) with return_sequences, in the order of the steps. A stack of cells has the
/// bits of as many recurrent layers, each over the sequence of the one before it. States: those of
/// the cells, in their order.
class Rnn final : public RecurrentLayer {
 public:
  struct Options {
    bool return_sequences = false;
    bool return_state = false;
    bool go_backwards = false;
    bool unroll = false;                ///< Keras's; without effect
    bool zero_output_for_mask = false;  ///< else a masked step repeats the output before it
    bool stateful = false;  ///< begins with the states in which the batch before has ended
  };

  Rnn(std::unique_ptr<CellLayer> cell, Options options);

  std::string class_name() const override { return "RNN"; }
  bool return_sequences() const override { return options_.return_sequences; }
  bool return_state() const override { return options_.return_state; }
  std::vector<std::size_t> states() const override;
  bool go_backwards() const override { return options_.go_backwards; }
  bool zero_output_for_mask() const override { return options_.zero_output_for_mask; }
  bool stateful() const override { return options_.stateful; }
  std::int64_t units() const override { return parts_.back().recurrent->units(); }
  std::vector<Activation> activations() const override { return cell_->activations(); }
  nlohmann::ordered_json config() const override;

  std::vector<Parameter> make_parameters(const std::string& name,
                                         const Shape& input) const override;
  std::vector<std::size_t> add_ops(const std::string& name, Graph& graph, std::size_t input,
                                   std::span<Parameter> parameters, const Use& use) const override;

 private:
  std::unique_ptr<CellLayer> cell_;
  Options options_;
  std::vector<CellLayer::Part> parts_;
};

}  // namespace lockstep
