#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/export/layer_use.hpp"
#include "io/export/safetensors.hpp"
#include "src/activations/activation.hpp"
#include "src/core/keras_names.hpp"

namespace lockstep {

/// The nn.Module that is being written, and its state_dict.
class TorchCode {
 public:
  /// The Python name of a layer; always the same one. Within another layer it begins with the
  /// other's.
  std::string name_of(const LayerUse& use);

  /// `self.NAME = CONSTRUCTOR`, with its tensors below NAME; at the first use of a layer. Returns
  /// "self.NAME".
  std::string module(const std::string& name, const std::string& constructor,
                     std::vector<NamedTensor> tensors);
  /// A tensor that is no module's: nn.Parameter, or a buffer if it is never trained.
  std::string value(const std::string& name, Tensor tensor, bool trained);
  /// `x3 = EXPRESSION`; returns "x3". Of what has a name already, that.
  std::string assign(const std::string& expression);

  /// One of those in torch_functions.hpp: the file has it in front of the class. Returns its name.
  std::string function(const std::string& name);

  const std::vector<std::string>& init() const { return init_; }
  /// The lines that the result needs.
  std::vector<std::string> forward(const std::string& result) const;
  const std::set<std::string>& functions() const { return functions_; }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }

 private:
  struct Line {
    std::string name, expression;
  };
  bool is_new(const std::string& name);

  std::unordered_map<const Layer*, std::string> names_;
  UniqueNames taken_;
  std::vector<std::string> made_;
  std::vector<std::string> init_;
  std::vector<Line> forward_;
  std::set<std::string> functions_;
  std::vector<NamedTensor> tensors_;
};

using TorchInputs = std::vector<std::string>;
/// One output, or several.
struct TorchOutputs {
  TorchOutputs(std::string one) : expressions({std::move(one)}) {}
  TorchOutputs(std::vector<std::string> all) : expressions(std::move(all)) {}
  std::vector<std::string> expressions;
};
/// Writes one use of a layer, of inputs and to outputs with channels last; returns expressions.
/// Throws Error (65) for what PyTorch lacks.
using TorchEmit = std::function<TorchOutputs(TorchCode&, const LayerUse&, const TorchInputs&)>;
using TorchEmits = std::unordered_map<std::string, TorchEmit>;

std::string torch_activation(const ActivationFunction& function, const std::string& x);
/// The layer's final activation behind its output.
std::string torch_activated(const LayerUse& use, const std::string& x);
std::string torch_tuple(const Shape& shape);  ///< "(3, 3)", "(3,)"
/// Of x with channels in front of positions.
std::string torch_padded(const std::string& x, const std::vector<Margin>& margins,
                         const char* more = "");
inline const char* torch_bool(bool value) {
  return value ? "True" : "False";
}

// By class names.
TorchEmits torch_plain_layers();     ///< dense, shapes, activations, merging, noise
TorchEmits torch_position_layers();  ///< convolutions, pooling, padding, up-sampling
TorchEmits torch_normalizations();
TorchEmits torch_recurrent_layers();
TorchEmits torch_attention_layers();  ///< and the blocks that are made of it
TorchEmits torch_embeddings();

}  // namespace lockstep
