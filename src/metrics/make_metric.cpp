#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/printable.hpp"
#include "src/core/words.hpp"
#include "src/metrics/accuracy.hpp"
#include "src/metrics/error_mean.hpp"
#include "src/metrics/metric.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  double threshold = 0.5;
  std::int64_t k = 5;

  bool operator==(const Settings&) const = default;
};

/// What a metric sums up, under the names that Keras has for it.
struct Function {
  std::array<std::string_view, 4> names;  ///< as a function, as a class, aliases
  TargetKind kind;
  bool larger_is_better;
  double (*sum)(ConstMatrix predictions, const Targets& targets, const Settings& settings);
  std::string_view setting = {};  ///< the one key that the class has beside its name

  bool has(std::string_view name) const {
    return !name.empty() && std::ranges::find(names, name) != names.end();
  }
};

constexpr Function kFunctions[] = {
    {{"binary_accuracy", "BinaryAccuracy"},
     TargetKind::kValues,
     true,
     [](ConstMatrix p, const Targets& t, const Settings& s) {
       return binary_accuracy(p, t, s.threshold);
     },
     "threshold"},
    {{"categorical_accuracy", "CategoricalAccuracy"},
     TargetKind::kValues,
     true,
     [](ConstMatrix p, const Targets& t, const Settings&) { return categorical_accuracy(p, t); }},
    {{"sparse_categorical_accuracy", "SparseCategoricalAccuracy"},
     TargetKind::kClasses,
     true,
     [](ConstMatrix p, const Targets& t, const Settings&) {
       return sparse_categorical_accuracy(p, t);
     }},
    {{"top_k_categorical_accuracy", "TopKCategoricalAccuracy"},
     TargetKind::kValues,
     true,
     [](ConstMatrix p, const Targets& t, const Settings& s) {
       return top_k_categorical_accuracy(p, t, s.k);
     },
     "k"},
    {{"sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy"},
     TargetKind::kClasses,
     true,
     [](ConstMatrix p, const Targets& t, const Settings& s) {
       return sparse_top_k_categorical_accuracy(p, t, s.k);
     },
     "k"},
    {{"mean_squared_error", "MeanSquaredError", "mse", "MSE"},
     TargetKind::kValues,
     false,
     [](ConstMatrix p, const Targets& t, const Settings&) { return mean_squared_error(p, t); }},
    {{"mean_absolute_error", "MeanAbsoluteError", "mae", "MAE"},
     TargetKind::kValues,
     false,
     [](ConstMatrix p, const Targets& t, const Settings&) { return mean_absolute_error(p, t); }},
};

/// Null if there is none of that name.
const Function* find_function(std::string_view name) {
  const auto* found =
      std::ranges::find_if(kFunctions, [&](const Function& f) { return f.has(name); });
  return found == std::end(kFunctions) ? nullptr : found;
}

/// What a string in a list of metrics means: "accuracy", in any case of letters, depends on the
/// network, as in Keras. Null if there is none of that name.
const Function* resolve(std::string_view name, std::int64_t output_columns, TargetKind kind) {
  const std::string lower = lower_case(name);
  if (lower != "accuracy" && lower != "acc") return find_function(name);
  if (output_columns == 1) return find_function("binary_accuracy");
  return find_function(kind == TargetKind::kClasses ? "sparse_categorical_accuracy"
                                                    : "categorical_accuracy");
}

[[noreturn]] void fail_unknown(std::string_view name) {
  std::string names = "accuracy";
  for (const Function& function : kFunctions) {
    names += ", ";
    names += function.names[0];
  }
  fail(ExitCode::kBadData, "[metric] expected one of {}, got '{}'", names, name);
}

class MeanMetric final : public Metric {
 public:
  MeanMetric(std::string name, const Function& function, Settings settings)
      : name_(std::move(name)), function_(function), settings_(settings) {}

  const std::string& name() const override { return name_; }
  /// As a class, unless the name says all: Keras 2 reads the name "accuracy" from a file as another
  /// metric than in compile() (tf_keras 2.21), and Keras 3 cannot read Keras 2's own form.
  Json to_json() const override {
    if (function_.has(name_) && settings_ == Settings{}) return name_;
    Json config = {{"name", name_}, {"dtype", "float32"}};
    if (function_.setting == "threshold") config["threshold"] = settings_.threshold;
    if (function_.setting == "k") config["k"] = settings_.k;
    return {{"class_name", function_.names[1]}, {"config", std::move(config)}};
  }
  bool larger_is_better() const override { return function_.larger_is_better; }
  double sum(ConstMatrix predictions, const Targets& targets) const override {
    return function_.sum(predictions, targets, settings_);
  }

 private:
  std::string name_;
  const Function& function_;
  Settings settings_;
};

Settings read_settings(KerasConfig& config, std::string_view setting) {
  Settings settings;
  if (setting == "threshold") settings.threshold = config.number("threshold", settings.threshold);
  if (setting == "k") settings.k = config.integer("k", settings.k, 1, KerasConfig::kMaxInteger);
  return settings;
}

void check_kind(const Function& function, TargetKind kind) {
  constexpr std::string_view kClasses = "class indices";
  constexpr std::string_view kValues = "numbers of the outputs' shape";
  const bool classes = function.kind == TargetKind::kClasses;
  check(function.kind == kind, ExitCode::kBadData,
        "[{}] expected a loss whose targets are {}, got one whose targets are {}",
        function.names[0], classes ? kClasses : kValues, classes ? kValues : kClasses);
}

}  // namespace

std::unique_ptr<Metric> make_metric(const Json& json, std::int64_t output_columns,
                                    TargetKind kind) {
  const KerasObject object = keras_object(json, "metric");
  if (json.is_string() || json["class_name"] == "function") {
    const Function* function = resolve(object.name, output_columns, kind);
    if (function == nullptr) fail_unknown(object.name);
    check_kind(*function, kind);
    return std::make_unique<MeanMetric>(object.name, *function, Settings{});
  }

  KerasConfig config(object.config, settings_of(object.name));
  const bool wrapper = object.name == "MeanMetricWrapper";
  const Json* wrapped = wrapper ? config.find("fn") : nullptr;
  if (wrapper && wrapped == nullptr) config.refuse("fn", "a function", "nothing");
  const std::string function_name =
      wrapper ? keras_object(*wrapped, object.name).name : object.name;
  const Function* function = find_function(function_name);
  if (function == nullptr) fail_unknown(function_name);
  check_kind(*function, kind);
  const std::string name = printable(config.text("name", std::string(function->names[0])));
  config.expect_float32();
  const Settings settings = read_settings(config, function->setting);
  config.finish();
  return std::make_unique<MeanMetric>(name, *function, settings);
}

}  // namespace lockstep
