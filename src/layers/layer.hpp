#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/shape.hpp"
#include "src/graph/graph.hpp"
#include "src/parameters/parameter_list.hpp"
#include "src/parameters/regularizer.hpp"

namespace lockstep {

/// What Keras does behind this layer with the masks of its inputs: the output has them, too (any of
/// them, if all inputs have one); or they are left behind; or lower() sees to them: Graph::mask();
/// or Keras itself refuses it.
enum class OnMask : std::uint8_t { kCarries, kEnds, kLowers, kRefuses };

/// What users write, files hold and summaries show. A layer holds configuration and its parameters;
/// what it computes are the ops that it adds to a graph.
class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string class_name() const = 0;  ///< Keras's: "Dense"

  /// Applies the layer to values of the graph, as Keras's __call__, and returns its outputs. Its
  /// first use creates the parameters. Throws Error (65) for shapes, or a number of inputs, that do
  /// not fit: "[dense] expected ..., got ...".
  std::vector<std::size_t> apply_all(Graph& graph, std::span<const std::size_t> inputs);
  /// The same where one output is expected: throws Error (65) if there are more.
  std::size_t apply(Graph& graph, std::span<const std::size_t> inputs);
  /// A class of KerasHub, not of Keras itself.
  virtual bool is_of_keras_hub() const { return false; }
  /// Several inputs instead of one.
  virtual bool merges() const { return false; }
  /// Its calls may say `use_causal_mask`: see Graph::causal().
  virtual bool takes_causal_mask() const { return false; }
  /// Its inputs are one argument, a list, as Add's, where those of others are arguments each.
  virtual bool takes_list() const { return false; }
  /// What a call may give behind its one input, all of it or nothing: Keras's initial_state. How
  /// many there are in each of the lists in which Keras wants them; 1 is no list.
  virtual std::vector<std::size_t> states() const { return {}; }
  /// How many outputs each call has.
  virtual std::size_t number_of_outputs() const { return 1; }
  /// The output is the input under another shape: nothing is computed or copied.
  virtual bool passes_through() const { return false; }

  /// Rules of Keras 3, where Keras 2 has others.
  virtual OnMask on_mask() const { return OnMask::kCarries; }

  /// Keras 3 takes no `trainable` and no `batch_input_shape` in this class's config.
  virtual bool is_never_trainable() const { return false; }
  /// Keras 2's config without name, trainable and dtype, in Keras's order of keys; channels_last.
  virtual nlohmann::ordered_json config() const = 0;

  /// Keras's data_format is channels_first: the layer gets and gives (channels, positions ...).
  /// Before its first use.
  void set_channels_first(bool channels_first) { channels_first_ = channels_first; }
  bool channels_first() const { return channels_first_; }

  /// The activation that ends this layer.
  virtual Activation final_activation() const { return Activation::kLinear; }
  /// All that are in it.
  virtual std::vector<Activation> activations() const { return {final_activation()}; }

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) { trainable_ = trainable; }  ///< Before its first use.
  /// The mean over the batch of the penalty of each output is added to the loss. Before its first
  /// use.
  void set_activity_regularizer(const Regularizer& regularizer) {
    activity_regularizer_ = regularizer;
  }
  const Regularizer& activity_regularizer() const { return activity_regularizer_; }
  /// It is all that the layer is, and config() says it.
  virtual bool is_activity_regularization() const { return false; }
  /// Position among the layers that compute something; keys the layer's random numbers. (An
  /// InputLayer or Flatten more or less changes nothing.)
  void set_index(std::int64_t index) { index_ = index; }
  std::int64_t index() const { return index_; }

  /// In Keras's order: kernel, bias.
  virtual ParameterList parameters() { return parameters_; }
  ParameterList parameters() const { return const_cast<Layer*>(this)->parameters(); }
  /// Where Keras 3 keeps each, in the layer's part of a file: "vars/0", "cell/vars/1".
  std::vector<std::string> stores() const;

 protected:
  /// Creates the parameters that the first input's shape asks for: called at the first use.
  /// Channels are the last axis, here and in lower().
  virtual void build(const Shape& /*input*/) {}
  /// The same where the other inputs' shapes count, too.
  virtual void build_for(const std::vector<Shape>& inputs) { build(inputs.front()); }
  /// Adds the ops of one use; parameters() exist.
  virtual std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) = 0;
  /// Of a layer that may have several outputs, as number_of_outputs() says; apply() asks for no
  /// more than this.
  virtual std::vector<std::size_t> lower_all(Graph& graph, std::span<const std::size_t> inputs) {
    return {lower(graph, inputs)};
  }

  /// Uses before the one that is being lowered.
  std::int64_t uses() const { return uses_; }
  /// The stream of random numbers of this use.
  std::uint32_t random_key() const;

  std::vector<Parameter> parameters_;

 private:
  void check_number_of(std::size_t inputs) const;
  void check_constraints() const;
  std::optional<std::size_t> carried(Graph& graph,
                                     const std::vector<std::optional<std::size_t>>& masks) const;

  std::string name_;
  bool trainable_ = true;
  Regularizer activity_regularizer_;
  bool channels_first_ = false;
  std::int64_t index_ = 0;
  std::int64_t uses_ = 0;
};

}  // namespace lockstep
