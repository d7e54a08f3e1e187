#include "src/model/training_config.hpp"

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/printable.hpp"
#include "src/metrics/metric.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

std::string place(const std::string& key) {
  return "training config" + (key.empty() ? "" : ": " + key);
}

/// A list with one element for the model's one output is that element.
ordered_json single(const ordered_json& json) {
  return json.is_array() && json.size() == 1 ? json.front() : json;
}

ordered_json value_of(const ordered_json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? ordered_json() : *found;
}

/// Of a list or a list of lists (one for each output), which have no more than one output here.
void read_metrics(const ordered_json& value, TrainingConfig& config) {
  if (value.is_null()) return;
  if (!value.is_array()) {
    config.metrics_problems.add(place("metrics"),
                                "expected a list of metrics, got " + describe(value));
    return;
  }
  const bool nested = value.size() == 1 && value.front().is_array();
  for (const ordered_json& metric : nested ? value.front() : value) {
    if (metric.is_array())
      config.metrics_problems.add(place("metrics"),
                                  "expected one output's metrics, got " + describe(value));
    else if (!metric.is_null())
      config.metrics.push_back(metric);
  }
}

void expect_nothing(const ordered_json& json, const char* key, Problems& problems) {
  const ordered_json value = value_of(json, key);
  if (!value.is_null() && !(value.is_structured() && value.empty()))
    problems.add(place(key), "expected null, got " + describe(value));
}

/// `make`'s result; an error becomes a problem of the part.
template <class Make>
auto attempt(const char* part, Problems& problems, const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    problems.add(place(part), without_where(error));
  }
  return {};
}

}  // namespace

ordered_json training_config_to_json(const Network& model) {
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

TrainingConfig read_training_config(const ordered_json& json) {
  check(json.is_object(), ExitCode::kBadData, "training config: expected an object, got {}",
        describe(json));
  TrainingConfig config;
  config.optimizer = value_of(json, "optimizer_config");
  if (config.optimizer.is_null()) config.optimizer = value_of(json, "optimizer");
  config.loss = single(value_of(json, "loss"));
  read_metrics(value_of(json, "metrics"), config);
  expect_nothing(json, "weighted_metrics", config.metrics_problems);
  expect_nothing(json, "loss_weights", config.loss_problems);
  expect_nothing(json, "sample_weight_mode", config.loss_problems);
  // How Keras runs a step changes no number.
  KerasConfig keys(json, place, ExitCode::kBadData);
  keys.ignore({"optimizer_config", "optimizer", "loss", "metrics", "weighted_metrics",
               "loss_weights", "sample_weight_mode", "run_eagerly", "steps_per_execution",
               "jit_compile", "auto_scale_loss", "is_compile_called"});
  try {
    keys.finish();
  } catch (const ProblemsError& error) {
    config.optimizer_problems.add(error.problems());
  }
  if (config.optimizer.is_null())
    config.optimizer_problems.add(place("optimizer_config"), "expected an optimizer, got nothing");
  if (config.loss.is_null())
    config.loss_problems.add(place("loss"), "expected a loss, got nothing");
  return config;
}

bool is_named_accuracy(const ordered_json& metric) {
  const ordered_json config =
      metric.is_object() ? metric.value("config", ordered_json()) : ordered_json();
  const ordered_json name = config.is_object() ? config.value("name", ordered_json()) : metric;
  return name == "accuracy" || name == "acc";
}

ordered_json fitting_metric(const ordered_json& json, std::int64_t columns, TargetKind kind) {
  try {
    make_metric(json, columns, kind);
  } catch (const Error&) {
    if (!is_named_accuracy(json) || json.is_string()) throw;
    make_metric("accuracy", columns, kind);
    return "accuracy";
  }
  return json;
}

void compile_from_json(Network& model, const ordered_json& training_config) {
  TrainingConfig config = read_training_config(training_config);
  Problems problems = config.optimizer_problems;
  problems.add(config.loss_problems);
  problems.add(config.metrics_problems);
  if (!config.optimizer.is_null())
    attempt("optimizer_config", problems, [&] { return make_optimizer(config.optimizer); });
  const auto loss = config.loss.is_null()
                        ? nullptr
                        : attempt("loss", problems, [&] { return make_loss(config.loss); });
  for (ordered_json& metric : config.metrics) {
    if (!loss) break;
    metric = attempt("metrics", problems, [&] {
      return fitting_metric(metric, model.output_columns(), loss->target_kind());
    });
  }
  problems.throw_if_any(ExitCode::kBadData);
  model.compile(config.optimizer, config.loss, config.metrics);
}

}  // namespace lockstep
