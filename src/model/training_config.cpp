#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/layers/layer_config.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// A list with one element for the model's one output is that element.
ordered_json single(const ordered_json& json) {
  return json.is_array() && json.size() == 1 ? json.front() : json;
}

/// Of a list or a list of lists (one for each output), which have no more than one output here.
ordered_json metric_list(LayerConfig& config) {
  ordered_json metrics = ordered_json::array();
  const ordered_json* value = config.find("metrics");
  if (!value) return metrics;
  if (!value->is_array()) config.refuse("metrics", "a list of metrics", describe(*value));
  const bool nested = value->size() == 1 && value->front().is_array();
  for (const ordered_json& metric : nested ? value->front() : *value) {
    if (metric.is_null()) continue;
    if (metric.is_array()) config.refuse("metrics", "one output's metrics", describe(*value));
    metrics.push_back(metric);
  }
  return metrics;
}

}  // namespace

ordered_json training_config_to_json(const Sequential& model) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(model.compiled(), ExitCode::kUsage,
        "[{}] expected compile() before its training_config is written", model.name());
  ordered_json metrics = ordered_json::array();
  for (const auto& metric : model.metrics()) metrics.push_back(metric->to_json());
  return {{"loss", model.loss().to_json()},
          {"metrics", std::move(metrics)},
          {"weighted_metrics", nullptr},
          {"loss_weights", nullptr},
          {"optimizer_config", model.optimizer().to_json()}};
}

void compile_from_json(Sequential& model, const ordered_json& training_config) {
  const auto locate = [](const std::string& key) {
    return "training config" + (key.empty() ? "" : ": " + key);
  };
  LayerConfig config(training_config, locate, ExitCode::kBadData);
  const ordered_json* optimizer = config.find("optimizer_config");
  if (!optimizer) optimizer = config.find("optimizer");
  if (!optimizer) config.refuse("optimizer_config", "an optimizer", "nothing");
  const ordered_json* loss = config.find("loss");
  if (!loss) config.refuse("loss", "a loss", "nothing");
  const ordered_json metrics = metric_list(config);
  for (const char* key : {"weighted_metrics", "loss_weights", "sample_weight_mode"}) {
    const ordered_json* value = config.find(key);
    if (value && !(value->is_array() && value->empty()))
      config.refuse(key, "null", describe(*value));
  }
  // How Keras runs a step changes no number.
  config.ignore({"run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss",
                 "is_compile_called"});
  config.finish();
  try {
    model.compile(*optimizer, single(*loss), metrics);
  } catch (const Error& error) {  // which says itself whether it is the loss, a metric, ...
    fail(error.code(), "training config: {}", printable(error.what()));
  }
}

}  // namespace lockstep
