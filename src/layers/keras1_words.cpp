#include "src/layers/keras1_words.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

namespace lockstep {
namespace {

using nlohmann::ordered_json;

struct Word {
  const char* class_name;
  const char* old_key;
  const char* key;
};
constexpr Word kWords[] = {
    {"Dense", "output_dim", "units"},
    {"Dense", "init", "kernel_initializer"},
    {"Dense", "bias", "use_bias"},
    {"Dense", "W_regularizer", "kernel_regularizer"},
    {"Dense", "b_regularizer", "bias_regularizer"},
    {"Dense", "W_constraint", "kernel_constraint"},
    {"Dense", "b_constraint", "bias_constraint"},
    {"Dropout", "p", "rate"},
};

/// {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01} as {"class_name", "config"}.
ordered_json newer_regularizer(const ordered_json& json) {
  if (!json.is_object() || json.contains("class_name") || !json.contains("name")) return json;
  ordered_json config = json;
  config.erase("name");
  return {{"class_name", "L1L2"}, {"config", std::move(config)}};
}

}  // namespace

ordered_json in_newer_words(const std::string& class_name, ordered_json config) {
  if (!config.is_object()) return config;
  for (const Word& word : kWords) {
    if (class_name != word.class_name || !config.contains(word.old_key) ||
        config.contains(word.key))
      continue;
    ordered_json value = config[word.old_key];
    config.erase(word.old_key);
    const bool is_regularizer = std::string_view(word.key).ends_with("regularizer");
    config[word.key] = is_regularizer ? newer_regularizer(value) : value;
  }
  if (config.contains("activity_regularizer"))
    config["activity_regularizer"] = newer_regularizer(config["activity_regularizer"]);
  if (class_name != "Embedding" && config.contains("input_dim")) {
    const ordered_json extent = config["input_dim"];
    config.erase("input_dim");
    if (!extent.is_null() && !config.contains("batch_input_shape"))
      config["batch_input_shape"] = {nullptr, extent};
  }
  config.erase("input_dtype");
  return config;
}

}  // namespace lockstep
