#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "io/export/layer_use.hpp"
#include "io/export/tensor.hpp"
#include "src/activations/activation.hpp"

namespace lockstep {

/// A graph of ONNX operators (opset 17) that is being written. Values have names; the batch is
/// every value's first axis and may have any length.
class OnnxGraph {
 public:
  using Integers = std::vector<std::int64_t>;
  using Attribute = std::variant<std::int64_t, float, std::string, Integers, std::vector<float>,
                                 std::vector<std::string>>;
  using Attributes = std::vector<std::pair<std::string, Attribute>>;
  struct Node {
    std::string op;
    std::vector<std::string> inputs;  ///< "": left out
    std::vector<std::string> outputs;
    Attributes attributes;
  };
  using Initializer = std::pair<std::string, std::variant<Tensor, Integers>>;

  /// Names of what is added from now on begin with the layer's.
  void begin(const std::string& layer) { layer_ = layer; }

  std::string constant(Tensor tensor);
  std::string constant(float value) { return constant(Tensor{{}, {value}}); }
  std::string constant(Integers values);  ///< one axis of int64
  /// Adds an operator and returns its output, or the `result`-th of several.
  std::string add(const std::string& op, std::vector<std::string> inputs,
                  Attributes attributes = {}, std::size_t result = 0);

  /// Axes with the batch counted. What a transposition undoes is taken instead.
  std::string transposed(const std::string& x, const Integers& order);
  /// (batch, shape ...).
  std::string reshaped(const std::string& x, const Shape& shape);
  std::string in_front(const std::string& x, std::size_t axes);  ///< channels; axes of a sample
  std::string behind(const std::string& x, std::size_t axes);
  /// y for every row of x: a table without the batch.
  std::string for_each_row(Tensor table, const std::string& x);

  /// Drops operators that do not lead to this value.
  void finish(const std::string& result);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Initializer>& initializers() const { return initializers_; }

 private:
  std::string name(const std::string& what);

  std::string layer_;
  std::vector<Node> nodes_;
  std::vector<Initializer> initializers_;
  std::unordered_map<std::string, std::pair<std::string, Integers>> transposed_from_;
  std::int64_t names_ = 0;
};

using OnnxInputs = std::vector<std::string>;
/// Adds one use of a layer, with channels last; returns its output. Throws Error (65) for what
/// ONNX lacks.
using OnnxEmit = std::string (*)(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x);
using OnnxEmits = std::unordered_map<std::string, OnnxEmit>;

std::string onnx_activation(OnnxGraph& graph, const ActivationFunction& function,
                            const std::string& x);
/// The layer's final activation behind its output.
std::string onnx_activated(OnnxGraph& graph, const LayerUse& use, const std::string& x);
/// x W + b over the last axis; `bias` may be empty.
std::string onnx_dense(OnnxGraph& graph, std::size_t axes, Tensor kernel,
                       std::optional<Tensor> bias, const std::string& x);
std::string onnx_layer_norm(OnnxGraph& graph, const Shape& shape, Tensor scale, Tensor offset,
                            double epsilon, const std::string& x);

// By class names.
OnnxEmits onnx_plain_layers();     ///< dense, shapes, activations, merging
OnnxEmits onnx_position_layers();  ///< convolutions, pooling, padding, up-sampling
OnnxEmits onnx_normalizations();
OnnxEmits onnx_sequence_layers();  ///< recurrent, embeddings, attention

}  // namespace lockstep
