#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "src/core/keras_major.hpp"
#include "src/model/network.hpp"
#include "src/model/network_plan.hpp"
#include "src/model/network_remarks.hpp"

namespace lockstep {

/// In the JSON of a graph that Lockstep wrote: the calls of each layer are listed in the order in
/// which a pass makes them. Keras finds an order of its own, and ignores the key.
inline constexpr const char* kInOrder = "lockstep_calls_in_order";
/// In a call in Keras 3's form: training=False is meant, as Keras 2 follows it.
inline constexpr const char* kInference = "lockstep_inference";

/// Keras 2's {"class_name": "Sequential", "config": {"name", "layers"}},
/// with an explicit InputLayer in front, or its "Functional" for what is no chain; Keras 2 and 3
/// both read them. The model must be built. As Keras 3 writes it, for Keras 3 alone: throws Error
/// (65) that names the layers with an activation that means another function there.
nlohmann::ordered_json model_to_json(const Network& model, KerasMajor form = KerasMajor::k2);

/// config.json of Keras 3's .keras files: the network in Keras 3's form, and how it is compiled.
nlohmann::ordered_json keras3_model_config(const Network& model);

/// The config of a network that is a layer of another one, whose objects are in the form of Keras 2
/// and whose calls are in that of either: of a Sequential if it is a chain, else of a Functional.
/// `input`: one sample's.
nlohmann::ordered_json inner_model_config(const Network& model, const Shape& input,
                                          KerasMajor form);

/// The version of Keras that a file of the model names: the one that means by "hard_sigmoid" what
/// the model does, else Keras 2's last one. model_to_json() says it where the default would be
/// wrong.
std::string keras_version(const Network& model);

/// Reads what model.to_json() of Keras 1, 2 or 3 writes (tuples or lists, `batch_input_shape` or
/// `batch_shape`, `module`/`registered_name`/`build_config`, DTypePolicy objects): a Sequential or
/// a functional model, with models as layers, which are replaced by theirs. Builds it if the JSON
/// says the input shape. Throws Error (65) with the paths in the JSON of every
/// layer, key or value that Lockstep lacks, and for syntax errors with their position; nothing is
/// dropped.
Network model_from_json(const nlohmann::ordered_json& json);
Network model_from_json_text(const std::string& text);

/// The same, but what only training lacks (constraints, ...) is left in `remarks`.
/// `keras_version`: of Keras as the file tells it beside the JSON; may be empty.
Network model_from_json(const nlohmann::ordered_json& json, const std::string& keras_version,
                        NetworkRemarks& remarks);
Network model_from_json_text(const std::string& text, const std::string& keras_version,
                             NetworkRemarks& remarks);

/// What such JSON asks for, before anything is made of it. Throws Error (65).
NetworkPlan plan_from_json(const nlohmann::ordered_json& json);

/// {"loss", "metrics", "weighted_metrics", "loss_weights", "optimizer_config"}, as Keras 2 writes
/// it. The model must be compiled.
nlohmann::ordered_json training_config_to_json(const Network& model);
/// compile()s the model by Keras's training_config, or by K3's compile_config. Throws Error (65)
/// that names all that Lockstep lacks of it.
void compile_from_json(Network& model, const nlohmann::ordered_json& training_config);

}  // namespace lockstep
