#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/core/matrix.hpp"
#include "src/layers/layer.hpp"
#include "src/layers/rescaling.hpp"
#include "src/losses/loss.hpp"
#include "src/metrics/metric.hpp"
#include "src/model/workspace.hpp"
#include "src/optimizers/optimizer.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// A stack of layers, as Keras's Sequential: add() the layers, build() for an input shape,
/// compile() with optimizer, loss and metrics. One replica in one process; replicas are made one by
/// the Trainer.
class Sequential {
 public:
  explicit Sequential(std::string name = "sequential");
  ~Sequential();
  Sequential(Sequential&&) noexcept;
  Sequential& operator=(Sequential&&) noexcept;

  // --- Making it ---

  /// Names the layer as Keras does ("dense", "dense_1", ...) unless it has a name; two layers of
  /// one name are an error (65). Before build().
  void add(std::unique_ptr<Layer> layer);
  /// Creates the parameters, all zero. An InputLayer in front fixes the shape; `input` must then
  /// agree with it. Throws Error (65).
  void build(const Shape& input);
  bool built() const { return built_; }
  /// Draws the first weights: a pure function of the seed.
  void initialize(std::uint64_t seed);

  /// Keras's compile(): names ("adam", "sparse_categorical_crossentropy", {"accuracy"}) or Keras's
  /// JSON. After build(). Decides whether the loss takes over the final activation.
  void compile(const nlohmann::ordered_json& optimizer, const nlohmann::ordered_json& loss,
               const nlohmann::ordered_json& metrics);
  void compile(const std::string& optimizer, const std::string& loss,
               std::initializer_list<std::string> metrics);
  bool compiled() const { return loss_ != nullptr; }

  // --- Running it ---

  /// How every pass computes its matrix products, whatever the pass says. kExact unless set.
  void set_numerics(Numerics numerics) { numerics_ = numerics; }
  Numerics numerics() const { return numerics_; }

  /// What a Rescaling in front does to the input. The caller may do it while it fills in
  /// workspace.input(), and says so: Pass::input_is_scaled.
  Scaling input_scaling() const;

  /// Runs workspace.input(rows) through the layers and returns workspace.output(rows): the
  /// predictions, or the logits if `until_logits` and the loss fuses the final activation.
  Matrix forward(const Workspace& workspace, Range rows, const Pass& pass,
                 bool until_logits = false) const;

  /// Called by backward when it is through with layer i and all later ones: it needs their
  /// parameters no more, and gradients() may be called for them.
  using LayerDone = std::function<void(std::size_t layer)>;
  /// From workspace.output_gradient(rows) (by the logits if the loss fuses) to the gradients by the
  /// outputs of all layers.
  void backward(const Workspace& workspace, Range rows, const Pass& pass,
                const LayerDone& layer_done) const;
  /// The gradients by some of the arena's floats, from what forward and backward left of the rows
  /// that make up pass.subtrees, which count from the first of `rows`. Partial i is written to
  /// out + i * pass.subtrees.stride; gaps between parameters are left alone.
  void gradients(const Workspace& workspace, Range rows, const Pass& pass, Range floats,
                 float* out) const;

  /// The columns of the network's input that gradients() reads for these floats; maybe none.
  Range gradient_columns(Range floats) const;

  /// The sum of all regularisers' penalties (added to the loss once, whatever the batch size).
  double regularization_penalty() const;
  bool regularized() const;
  /// Adds the regularisers' gradients by some of the arena's floats to `gradients`.
  void add_regularization_gradient(Range floats, float* gradients) const;

  // --- What it is made of ---

  const std::string& name() const { return name_; }
  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  const Shape& input_shape() const { return shapes_.front(); }
  const Shape& output_shape() const { return shapes_.back(); }
  /// Boundary i: the shape before layer i; boundary layers().size(): the output.
  const std::vector<Shape>& shapes() const { return shapes_; }
  /// (positions, K) of one sample's output: all axes but the last, and the last.
  std::int64_t output_positions() const;
  std::int64_t output_columns() const;
  std::int64_t parameter_count() const;
  /// The Rescaling in front, or layers().size(). Its output lies where its input does.
  std::size_t scaling_layer() const;
  /// The first layer with gradients: backward stops there. layers().size() if all are frozen.
  std::size_t first_trained_layer() const;

  ParameterArena& arena() { return arena_; }
  const ParameterArena& arena() const { return arena_; }

  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  const Loss& loss() const { return *loss_; }
  bool loss_is_fused() const { return fused_; }
  const std::vector<std::unique_ptr<Metric>>& metrics() const { return metrics_; }

  /// SHA-256 over the weights as little-endian float32 in Keras's get_weights() order, in hex.
  std::string weights_sha256() const;

 private:
  std::string name_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Shape> shapes_;
  ParameterArena arena_;
  bool built_ = false;
  Numerics numerics_ = Numerics::kExact;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Loss> loss_;
  std::vector<std::unique_ptr<Metric>> metrics_;
  bool fused_ = false;
};

}  // namespace lockstep
