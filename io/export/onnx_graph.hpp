#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
  struct Body;
  using Attribute = std::variant<std::int64_t, float, std::string, Integers, std::vector<float>,
                                 std::vector<std::string>, std::shared_ptr<const Body>>;
  using Attributes = std::vector<std::pair<std::string, Attribute>>;
  struct Node {
    std::string op;
    std::vector<std::string> inputs;  ///< "": left out
    std::vector<std::string> outputs;
    Attributes attributes;
  };
  /// What an operator does again and again, as Scan. It may read all values around it.
  struct Body {
    std::vector<std::pair<std::string, bool>> inputs;  ///< and whether they are bool, not float
    std::vector<Node> nodes;
    std::vector<std::string> outputs;
  };
  using Initializer = std::pair<std::string, std::variant<Tensor, Integers>>;

  /// Names of what is added from now on begin with the layer's.
  void begin(const std::string& layer) { layer_ = layer; }

  std::string constant(Tensor tensor);
  std::string constant(float value) { return constant(Tensor{{}, {value}}); }
  std::string constant(Integers values);  ///< one axis of int64
  /// Adds an operator and returns its output.
  std::string add(const std::string& op, std::vector<std::string> inputs,
                  Attributes attributes = {});
  /// The same of several outputs.
  std::vector<std::string> add_several(const std::string& op, std::vector<std::string> inputs,
                                       std::size_t outputs, Attributes attributes = {});

  /// All that is added from now on is part of a body, until it ends.
  void begin_body() { bodies_.emplace_back().swap(nodes_), body_inputs_.clear(); }
  std::string body_input(bool is_bool = false);
  std::shared_ptr<const Body> end_body(std::vector<std::string> outputs);

  /// Axes with the batch counted. What a transposition undoes is taken instead.
  std::string transposed(const std::string& x, const Integers& order);
  /// (batch, shape ...).
  std::string reshaped(const std::string& x, const Shape& shape);
  std::string in_front(const std::string& x, std::size_t axes);  ///< channels; axes of a sample
  std::string behind(const std::string& x, std::size_t axes);
  /// y for every row of x: a table without the batch.
  std::string for_each_row(Tensor table, const std::string& x);

  // Bool.
  std::string truth(const std::string& x) { return add("Cast", {x}, {{"to", std::int64_t{9}}}); }
  std::string number(const std::string& x) { return add("Cast", {x}, {{"to", std::int64_t{1}}}); }
  /// Any along the last axis.
  std::string any(const std::string& x, bool keep_axis);
  std::string with_axes(const std::string& x, const Integers& axes);  ///< of extent 1: Unsqueeze

  /// Drops operators and constants that do not lead to this value.
  void finish(const std::string& result);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Initializer>& initializers() const { return initializers_; }

 private:
  std::string name(const std::string& what);

  std::string layer_;
  std::vector<Node> nodes_;
  std::vector<std::vector<Node>> bodies_;  ///< what stands around the one that has begun
  std::vector<std::pair<std::string, bool>> body_inputs_;
  std::vector<Initializer> initializers_;
  std::unordered_map<std::string, std::pair<std::string, Integers>> transposed_from_;
  std::int64_t names_ = 0;
};

using OnnxInputs = std::vector<std::string>;
/// One output, or several.
struct OnnxOutputs {
  OnnxOutputs(std::string one) : names({std::move(one)}) {}
  OnnxOutputs(std::vector<std::string> all) : names(std::move(all)) {}
  std::vector<std::string> names;
};
/// Adds one use of a layer, with channels last; returns its outputs. Throws Error (65) for what
/// ONNX lacks.
using OnnxEmit = std::function<OnnxOutputs(OnnxGraph&, const LayerUse&, const OnnxInputs&)>;
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
OnnxEmits onnx_recurrent_layers();
OnnxEmits onnx_attention_layers();  ///< and the blocks that are made of it
OnnxEmits onnx_embeddings();

}  // namespace lockstep
