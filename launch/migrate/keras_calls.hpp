#pragma once

#include <string>

#include "launch/migrate/script_reader.hpp"
#include "launch/migrate/script_value.hpp"

namespace lockstep {

/// "keras.layers" for "tensorflow.keras.layers", "tensorflow.python.keras.layers",
/// "tf_keras.layers".
std::string canonical_path(const std::string& path);
/// Whether a call of what this path names has no part in a training: printing, plotting, ...
bool is_harmless(const std::string& path);

/// Whether a method of a network of this name leaves the network as it is.
bool changes_nothing(const std::string& method);

/// The value of a call of what a script imports.
ScriptValue call_path(ScriptReader& reader, const std::string& path, ScriptArguments& arguments);

// keras_layers.cpp

/// Lockstep's name of the layer class at the end of a path; empty: it is none that it has.
std::string layer_class_of(const std::string& path);
ScriptValue make_layer_value(ScriptReader& reader, const std::string& class_name,
                             const ScriptArguments& arguments);
/// One use of a layer.
ScriptValue node_value(std::shared_ptr<ScriptLayer> layer,
                       std::vector<std::shared_ptr<ScriptNode>> inputs);
/// A layer called on tensors.
ScriptValue apply_layer(ScriptReader& reader, const std::shared_ptr<ScriptLayer>& layer,
                        const ScriptArguments& arguments);
/// A layer without arguments of its own, called on these.
ScriptValue apply_new_layer(ScriptReader& reader, const std::string& class_name,
                            nlohmann::ordered_json config, const std::vector<ScriptValue>& inputs);
/// As it stands in the config of a layer, an optimizer, a loss; none: it cannot.
std::optional<nlohmann::ordered_json> config_value(ScriptReader& reader, const ScriptValue& value,
                                                   int depth = 0);

// keras_models.cpp

ScriptValue make_sequential(ScriptReader& reader, const ScriptArguments& arguments);
ScriptValue make_functional(ScriptReader& reader, const ScriptArguments& arguments);
ScriptValue load_model_value(ScriptReader& reader, const ScriptArguments& arguments);
ScriptValue call_model_method(ScriptReader& reader, const ScriptValue& model,
                              const std::string& method, ScriptArguments& arguments);
ScriptValue apply_model(ScriptReader& reader, const std::shared_ptr<ScriptModel>& model,
                        const ScriptArguments& arguments);

/// The argument of this name, or at this position; null: not given.
const ScriptValue* argument_of(const ScriptArguments& arguments, const std::string& name,
                               std::size_t position);

}  // namespace lockstep
