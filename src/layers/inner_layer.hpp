#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// A layer in the config of another, with Keras's name for its class if it has none of its own.
/// Null if there is none, or a wrong one, which is a problem of the key. It lacks nothing, for
/// training either.
std::unique_ptr<Layer> read_inner_layer(KerasConfig& config, const std::string& key);
/// The same from the value itself; throws what is wrong with it.
std::unique_ptr<Layer> inner_layer(const nlohmann::ordered_json& value, const std::string& what,
                                   KerasMajor keras);

/// As both Keras 2 and 3 read it in the config of another: with the module of the class.
nlohmann::ordered_json inner_layer_to_json(const std::string& class_name,
                                           nlohmann::ordered_json config);
nlohmann::ordered_json inner_layer_to_json(const Layer& layer);

}  // namespace lockstep
