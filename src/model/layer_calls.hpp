#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// An output of a layer in a functional model: which of its calls, and which tensor of it.
struct TensorName {
  std::string layer;
  std::int64_t call = 0;
  std::int64_t tensor = 0;
  std::string argument = {};  ///< of the call; empty: by position
};

/// One call of a layer: what it was applied to, and the other arguments.
struct LayerCall {
  std::vector<TensorName> inputs;
  std::vector<std::string> arguments;  ///< as text
  bool inference = false;              ///< training=False; never of Keras 3
  std::optional<bool> causal = {};     ///< use_causal_mask
  bool unmasked = false;               ///< see Network::Call
};

/// The `inbound_nodes` of a layer as Keras 2 and 3 write them; none for an InputLayer.
std::vector<LayerCall> read_layer_calls(const nlohmann::ordered_json& layer);

/// A model's `input_layers` or `output_layers`, by place or by name.
std::vector<TensorName> read_ends(const nlohmann::ordered_json& ends);

/// "a, b".
std::string listed(const std::vector<TensorName>& tensors);

}  // namespace lockstep
