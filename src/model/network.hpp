#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/graph/gradient_plan.hpp"
#include "src/graph/graph.hpp"
#include "src/graph/workspace.hpp"
#include "src/layers/layer.hpp"
#include "src/model/objective.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// Layers applied to each other: Keras's Model. One replica in one process; replicas are made one
/// by the Trainer. Sequential and functional networks are two ways to write one.
class Network {
 public:
  explicit Network(std::string name) : name_(std::move(name)) {}
  virtual ~Network();
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;

  // --- Making it ---

  /// Names the layer as Keras does ("dense", "dense_1", ...) unless it has a name; two layers of
  /// one name are an error (65). Before it is built.
  Layer& add_layer(std::unique_ptr<Layer> layer);
  /// The layers of a network that is not built, for another one to take up.
  std::vector<std::unique_ptr<Layer>> release_layers();
  /// An output of a call: most layers have one alone.
  struct Output {
    Output(std::size_t of = 0, std::size_t which = 0) : call(of), number(which) {}
    std::size_t call;
    std::size_t number;
    bool operator==(const Output&) const = default;
  };
  /// One use of a layer: `inputs` are of earlier calls, or none for an InputLayer.
  struct Call {
    std::size_t layer;
    std::vector<Output> inputs;
    bool inference = false;  ///< as when it predicts, in training too: Keras's training=False
    std::optional<bool> causal = {};  ///< Keras's use_causal_mask
    /// The input's mask is passed on, but the layer does not see it: so Keras 3 makes calls with
    /// initial states.
    bool unmasked = false;
  };
  /// How layers are applied to each other. Unless this is called, each follows the one before it.
  void connect(std::vector<Call> calls, std::vector<Output> outputs);
  /// Applies the layers and creates the parameters, all zero. `inputs`: shapes of the calls without
  /// inputs, in their order; an InputLayer must agree with it. Throws Error (65).
  void build_for(const std::vector<Shape>& inputs);
  void build(const Shape& input) { build_for({input}); }
  bool built() const { return built_; }
  /// Of a network that is not built, but has been applied within another one's graph: lets
  /// shape_of() and is_masked() answer. `values`: the outputs of each call.
  void know(const Graph& graph, const std::vector<std::vector<std::size_t>>& values);
  /// Draws the first weights: a pure function of the seed.
  void initialize(std::uint64_t seed);

  /// Keras's compile(): names ("adam", "sparse_categorical_crossentropy", {"accuracy"}) or Keras's
  /// JSON. After build().
  void compile(const nlohmann::ordered_json& optimizer, const nlohmann::ordered_json& loss,
               const nlohmann::ordered_json& metrics);
  void compile(const std::string& optimizer, const std::string& loss,
               std::initializer_list<std::string> metrics);
  bool compiled() const { return objective_.has_value(); }

  /// One of several objectives for this network, for loops of one's own (a GAN): the loss stands at
  /// this output and trains the weights of these layers, by their numbers; all others
  /// are constants. Takes what compile() takes. After build(); the network must outlive it. Throws
  /// Error (64) for a layer that has no part in that output.
  Objective objective(const Output& output, const std::vector<std::size_t>& trained_layers,
                      const nlohmann::ordered_json& optimizer, const nlohmann::ordered_json& loss,
                      const nlohmann::ordered_json& metrics) const;

  // --- Running it ---

  /// How every pass computes its matrix products, whatever the pass says. kExact unless set.
  void set_numerics(Numerics numerics) { numerics_ = numerics; }
  Numerics numerics() const { return numerics_; }

  /// What whoever fills in workspace.input() does to every number.
  const Scaling& input_scaling() const { return graph_.input_scaling(); }

  /// The memory of passes over at most `rows` rows. In training it is planned for gradients() after
  /// backward().
  Workspace inference_workspace(std::int64_t rows) const;
  Workspace training_workspace(std::int64_t rows) const;

  /// Runs workspace.input(rows) through the network and returns workspace.output(rows): the
  /// predictions, or the logits if `until_logits` and the loss fuses the final activation.
  Matrix forward(const Workspace& workspace, Range rows, const Pass& pass,
                 bool until_logits = false) const;
  /// From workspace.output_gradient(rows) (by the logits if the loss fuses) to all that gradients()
  /// reads.
  void backward(const Workspace& workspace, Range rows, const Pass& pass) const;
  /// The gradients by some of the arena's floats, of the rows that make up the subtrees, counted
  /// from the first of `rows`. Partial i is written to out + i * subtrees.stride; gaps between
  /// parameters are left alone.
  void gradients(const Workspace& workspace, Range rows, const Pass& pass, const Subtrees& subtrees,
                 Range floats, float* out) const;
  /// The sum of all regularisers' penalties (added to the loss once, whatever the batch size).
  double regularization_penalty() const;
  bool regularized() const;
  /// Adds the regularisers' gradients by some of the arena's floats to `gradients`.
  void add_regularization_gradient(Range floats, float* gradients) const;

  // --- What stateful layers carry from batch to batch ---

  /// Whether any layer is stateful: then row i of a batch goes on from row i of the batch before.
  bool is_stateful() const { return !graph_.states().empty(); }
  /// The rows of every batch of a stateful network; 0: not known yet.
  std::int64_t batch_size() const { return batch_size_; }
  /// Throws Error (64) if it is another one than files, or an earlier call, have said.
  void set_batch_size(std::int64_t rows);
  /// Zeros, unless they are there already: needed before the first batch. After set_batch_size().
  void begin_states() const;
  /// Keras's reset_states(): zeros.
  void reset_states() const;
  /// The batch is done: what its forward pass left is what the next one begins with.
  void turn_states() const;

  // --- What it is made of ---

  const std::string& name() const { return name_; }
  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  const std::vector<Call>& calls() const { return calls_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  /// How many outputs a call has.
  std::size_t outputs_of(std::size_t call) const {
    return layers_[calls_[call].layer]->number_of_outputs();
  }
  /// Each layer stands once, behind the one before it, and has one output.
  bool is_chain() const;
  /// Which of its layer's calls it is, from 0.
  std::int64_t call_number(std::size_t call) const;
  /// Of the layer's first use.
  const Shape& output_shape_of(std::size_t layer) const;
  const Shape& shape_of(const Output& output) const { return known(output).shape; }
  /// Whether layers that read it find a mask with it.
  bool is_masked(const Output& output) const { return known(output).masked; }
  const Graph& graph() const { return graph_; }
  const Shape& input_shape() const { return graph_.shape(graph_.input()); }
  const Shape& output_shape() const { return graph_.shape(graph_.output()); }
  /// (positions, K) of one sample's output: all axes but the last, and the last.
  std::int64_t output_positions() const;
  std::int64_t output_columns() const;
  std::int64_t parameter_count() const;
  /// Whether training changes anything.
  bool trains() const { return arena_.trainable_size() > 0; }

  ParameterArena& arena() { return arena_; }
  const ParameterArena& arena() const { return arena_; }

  /// compile()'s.
  Objective& objective() { return *objective_; }
  const Objective& objective() const { return *objective_; }
  Optimizer& optimizer() { return objective_->optimizer(); }
  const Optimizer& optimizer() const { return objective_->optimizer(); }
  const Loss& loss() const { return objective_->loss(); }
  bool loss_is_fused() const { return objective_->loss_is_fused(); }
  const std::vector<std::unique_ptr<Metric>>& metrics() const { return objective_->metrics(); }
  /// The ops that training runs.
  std::size_t training_ops() const { return compiled() ? objective_->ops() : graph_.ops(); }

  /// SHA-256 over the weights as little-endian float32 in Keras's get_weights() order, in hex.
  std::string weights_sha256() const;

 private:
  struct Known {
    Shape shape;
    bool masked;
  };
  const Known& known(const Output& output) const;
  std::size_t checked_value_of(const Output& output) const;
  std::size_t value_of(const Output& output) const { return values_[output.call][output.number]; }

  std::string name_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Call> calls_;
  std::vector<Output> outputs_;
  std::int64_t next_index_ = 0;                   ///< of a layer that is added
  std::vector<std::vector<std::size_t>> values_;  ///< of the graph, by call
  std::vector<std::vector<Known>> known_;         ///< of the outputs, by call
  Graph graph_;
  ParameterArena arena_;
  bool built_ = false;
  Numerics numerics_ = Numerics::kExact;
  std::int64_t batch_size_ = 0;
  std::optional<Objective> objective_;
};

/// Applies the layer to values of the graph, as the call says. Returns its outputs.
std::vector<std::size_t> make_call(Graph& graph, Layer& layer, const Network::Call& call,
                                   std::vector<std::size_t> inputs);

}  // namespace lockstep
