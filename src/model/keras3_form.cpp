#include "src/model/keras3_form.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "src/core/keras_names.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kOfKerasHub = "keras_hub>";

bool is_object_of_keras(const ordered_json& json) {
  return json.is_object() && json.contains("class_name") && json.contains("config");
}

/// Where Keras 3 has the classes of the objects that stand under a key.
std::string module_of(std::string_view key) {
  if (key.ends_with("initializer")) return "keras.initializers";
  if (key.ends_with("regularizer")) return "keras.regularizers";
  if (key.ends_with("constraint")) return "keras.constraints";
  if (key == "learning_rate") return "keras.optimizers.schedules";
  if (key == "optimizer") return "keras.optimizers";
  if (key == "loss") return "keras.losses";
  if (key == "metrics") return "keras.metrics";
  return "keras.layers";
}

void rename(ordered_json& config, const char* from, const char* to) {
  ordered_json renamed = ordered_json::object();
  for (auto& [key, value] : config.items())
    renamed[key == from ? std::string(to) : key] = std::move(value);
  config = std::move(renamed);
}

/// What a class's config in Keras 3 calls otherwise.
void rename_keys(const std::string& class_name, ordered_json& config) {
  if (class_name == "InputLayer") {
    rename(config, "batch_input_shape", "batch_shape");
    config.erase("ragged");
  }
  config.erase("batch_input_shape");
  config.erase("implementation");  // of recurrent layers
  if (class_name == "LeakyReLU") rename(config, "alpha", "negative_slope");
  if (class_name == "BatchNormalization" && config["axis"].is_array() && config["axis"].size() == 1)
    config["axis"] = ordered_json(config["axis"].front());
}

ordered_json translate(const ordered_json& json, std::string_view key);

ordered_json translate_each(const ordered_json& json, std::string_view key) {
  ordered_json result = json.is_array() ? ordered_json::array() : ordered_json::object();
  if (json.is_array())
    for (const ordered_json& item : json) result.push_back(translate(item, key));
  else
    for (const auto& [name, value] : json.items()) result[name] = translate(value, name);
  return result;
}

ordered_json translate(const ordered_json& json, std::string_view key) {
  if (!json.is_structured()) return json;
  if (!is_object_of_keras(json)) return translate_each(json, key);
  std::string name = json["class_name"];
  if (name.starts_with("__")) return json;  // a tensor in a call
  ordered_json config = translate_each(json["config"], key);
  const bool of_hub = name.starts_with(kOfKerasHub);
  if (of_hub) name.erase(0, kOfKerasHub.size());
  rename_keys(name, config);
  // The class's own name, which .keras files do not have, is found in no module.
  if (name == "GroupedQueryAttention") name = "GroupQueryAttention";
  const std::string module = name == "Sequential"   ? "keras"
                             : name == "Functional" ? "keras.src.models.functional"
                             : of_hub ? "keras_hub.src.layers.modeling." + keras_snake_case(name)
                                      : module_of(key);
  ordered_json registered = nullptr;
  if (of_hub || name == "Functional") registered = json["class_name"];
  ordered_json result = {{"module", module},
                         {"class_name", name},
                         {"config", std::move(config)},
                         {"registered_name", std::move(registered)}};
  for (const auto& [other, value] : json.items())
    if (!result.contains(other)) result[other] = value;  // name, inbound_nodes, our own
  return result;
}

}  // namespace

ordered_json in_keras3_form(const ordered_json& model) {
  return translate(model, "");
}

ordered_json keras3_compile_config(const ordered_json& training_config) {
  ordered_json config = ordered_json::object();
  for (const auto& [key, value] : training_config.items()) {
    const std::string name = key == "optimizer_config" ? "optimizer" : key;
    config[name] = translate(value, name);
  }
  config["run_eagerly"] = false;
  config["steps_per_execution"] = 1;
  config["jit_compile"] = false;
  return config;
}

}  // namespace lockstep
