#include "src/layers/inner_layer.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_names.hpp"
#include "src/layers/make_layer.hpp"

namespace lockstep {

std::unique_ptr<Layer> inner_layer(const nlohmann::ordered_json& value, const std::string& what,
                                   KerasMajor keras) {
  const KerasObject object = keras_object(value, what);
  KerasConfig config(
      object.config, [](const std::string& name) { return name; }, ExitCode::kBadData);
  config.set_keras(keras);
  std::unique_ptr<Layer> layer = make_layer(object.name, config);
  config.training_problems().throw_if_any(ExitCode::kBadData);
  check(!layer->activity_regularizer().active(), ExitCode::kBadData,
        "[{}] expected no activity_regularizer of a layer in the config of another, got one", what);
  if (layer->name().empty()) layer->set_name(keras_snake_case(layer->class_name()));
  return layer;
}

std::unique_ptr<Layer> read_inner_layer(KerasConfig& config, const std::string& key) {
  const nlohmann::ordered_json* const value = config.find(key);
  if (value == nullptr) return nullptr;
  return config.convert(key, [&] { return inner_layer(*value, key, config.keras()); });
}

nlohmann::ordered_json inner_layer_to_json(const std::string& class_name,
                                           nlohmann::ordered_json config) {
  return {{"module", "keras.layers"},
          {"class_name", class_name},
          {"config", std::move(config)},
          {"registered_name", nullptr}};
}

nlohmann::ordered_json inner_layer_to_json(const Layer& layer) {
  nlohmann::ordered_json config = {{"name", layer.name()}};
  if (!layer.is_never_trainable()) config["trainable"] = layer.trainable();
  config["dtype"] = "float32";
  config.update(layer.config());
  // An axis says it itself.
  if (layer.channels_first() && !config.contains("axis")) config["data_format"] = "channels_first";
  nlohmann::ordered_json json = inner_layer_to_json(layer.class_name(), std::move(config));
  if (json["class_name"] == "Sequential") json["module"] = "keras";
  if (json["class_name"] == "Functional") json["module"] = "keras.src.models.functional";
  if (layer.is_of_keras_hub()) {
    json["module"] = "keras_hub.layers";
    json["registered_name"] = "keras_hub>" + layer.class_name();
  }
  return json;
}

}  // namespace lockstep
