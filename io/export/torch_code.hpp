#pragma once

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
  /// The Python name of a layer; always the same one.
  std::string name_of(const Layer& layer);

  /// `self.NAME = CONSTRUCTOR`, with its tensors below NAME; at the first use of a layer. Returns
  /// "self.NAME".
  std::string module(const std::string& name, const std::string& constructor,
                     std::vector<NamedTensor> tensors);
  /// A tensor that is no module's: nn.Parameter, or a buffer if it is never trained.
  std::string value(const std::string& name, Tensor tensor, bool trained);
  /// `x3 = EXPRESSION`; returns "x3". Of what has a name already, that.
  std::string assign(const std::string& expression);

  const std::vector<std::string>& init() const { return init_; }
  const std::vector<std::string>& forward() const { return forward_; }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }

 private:
  bool is_new(const std::string& name);

  std::unordered_map<const Layer*, std::string> names_;
  UniqueNames taken_;
  std::vector<std::string> made_;
  std::vector<std::string> init_, forward_;
  std::vector<NamedTensor> tensors_;
};

using TorchInputs = std::vector<std::string>;
/// Writes one use of a layer, of inputs and to an output with channels last; returns an
/// expression. Throws Error (65) for what PyTorch lacks.
using TorchEmit = std::string (*)(TorchCode& code, const LayerUse& use, const TorchInputs& x);
using TorchEmits = std::unordered_map<std::string, TorchEmit>;

std::string torch_activation(const ActivationFunction& function, const std::string& x);
/// The layer's final activation behind its output.
std::string torch_activated(const LayerUse& use, const std::string& x);
std::string torch_tuple(const Shape& shape);  ///< "(3, 3)", "(3,)"
inline const char* torch_bool(bool value) {
  return value ? "True" : "False";
}

// By class names.
TorchEmits torch_plain_layers();     ///< dense, shapes, activations, merging, noise
TorchEmits torch_position_layers();  ///< convolutions, pooling, padding, up-sampling
TorchEmits torch_normalizations();
TorchEmits torch_sequence_layers();  ///< recurrent, embeddings, attention

}  // namespace lockstep
