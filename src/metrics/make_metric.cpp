#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/printable.hpp"
#include "src/core/words.hpp"
#include "src/losses/check_targets.hpp"
#include "src/metrics/measure.hpp"
#include "src/metrics/metric.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Config = KerasConfig;
using Columns = std::int64_t;

constexpr TargetKind kClasses = TargetKind::kClasses;
constexpr TargetKind kValues = TargetKind::kValues;
constexpr bool kUp = true, kDown = false;  ///< which is better
constexpr bool kClassOnly = false;

/// A metric under the names that Keras has for it.
struct Known {
  std::array<std::string_view, 5> names;  ///< as a function, as a class, aliases
  TargetKind kind;
  bool larger_is_better;
  Measure (*make)(KerasConfig& config, std::int64_t columns);
  bool is_function = true;  ///< else Keras has the class alone

  bool has(std::string_view name) const {
    return !name.empty() && std::ranges::find(names, name) != names.end();
  }
};

double precision(const Confusion& c) {
  return c.precision();
}
double recall(const Confusion& c) {
  return c.recall();
}
double specificity(const Confusion& c) {
  return c.specificity();
}

constexpr Known kKnown[] = {
    {{"binary_accuracy", "BinaryAccuracy"}, kValues, kUp, measure_binary_accuracy},
    {{"categorical_accuracy", "CategoricalAccuracy"}, kValues, kUp, measure_categorical_accuracy},
    {{"sparse_categorical_accuracy", "SparseCategoricalAccuracy"},
     kClasses,
     kUp,
     measure_sparse_categorical_accuracy},
    {{"top_k_categorical_accuracy", "TopKCategoricalAccuracy"}, kValues, kUp, measure_top_k},
    {{"sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy"},
     kClasses,
     kUp,
     measure_sparse_top_k},
    {{"mean_squared_error", "MeanSquaredError", "mse", "MSE"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("mean_squared_error", {}, c); }},
    {{"root_mean_squared_error", "RootMeanSquaredError", "rmse"},
     kValues,
     kDown,
     measure_root_mean_squared_error,
     kClassOnly},
    {{"mean_absolute_error", "MeanAbsoluteError", "mae", "MAE"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("mean_absolute_error", {}, c); }},
    {{"mean_absolute_percentage_error", "MeanAbsolutePercentageError", "mape", "MAPE"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("mean_absolute_percentage_error", {}, c); }},
    {{"mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", "msle", "MSLE"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("mean_squared_logarithmic_error", {}, c); }},
    {{"log_cosh", "LogCoshError", "logcosh"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("log_cosh", {}, c); }},
    {{"cosine_similarity", "CosineSimilarity"},
     kValues,
     kUp,
     measure_cosine_similarity,
     kClassOnly},
    {{"r2_score", "R2Score"}, kValues, kUp, measure_r2_score, kClassOnly},
    {{"binary_crossentropy", "BinaryCrossentropy", "bce", "BCE"},
     kValues,
     kDown,
     [](Config& c, Columns) {
       return measure_loss("binary_crossentropy", {"from_logits", "label_smoothing"}, c);
     }},
    {{"categorical_crossentropy", "CategoricalCrossentropy"},
     kValues,
     kDown,
     [](Config& c, Columns) {
       return measure_loss("categorical_crossentropy", {"from_logits", "label_smoothing"}, c);
     }},
    {{"sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"},
     kClasses,
     kDown,
     [](Config& c, Columns) {
       return measure_loss("sparse_categorical_crossentropy", {"from_logits"}, c);
     }},
    {{"kl_divergence", "KLDivergence", "kld", "KLD", "kullback_leibler_divergence"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("kl_divergence", {}, c); }},
    {{"poisson", "Poisson"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("poisson", {}, c); }},
    {{"hinge", "Hinge"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("hinge", {}, c); }},
    {{"squared_hinge", "SquaredHinge"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("squared_hinge", {}, c); }},
    {{"categorical_hinge", "CategoricalHinge"},
     kValues,
     kDown,
     [](Config& c, Columns) { return measure_loss("categorical_hinge", {}, c); }},
    {{"true_positives", "TruePositives"},
     kValues,
     kUp,
     [](Config& c, Columns) {
       return measure_count([](const Confusion& counts) { return counts.true_positives; }, c);
     },
     kClassOnly},
    {{"false_positives", "FalsePositives"},
     kValues,
     kDown,
     [](Config& c, Columns) {
       return measure_count([](const Confusion& counts) { return counts.false_positives; }, c);
     },
     kClassOnly},
    {{"true_negatives", "TrueNegatives"},
     kValues,
     kUp,
     [](Config& c, Columns) {
       return measure_count([](const Confusion& counts) { return counts.true_negatives; }, c);
     },
     kClassOnly},
    {{"false_negatives", "FalseNegatives"},
     kValues,
     kDown,
     [](Config& c, Columns) {
       return measure_count([](const Confusion& counts) { return counts.false_negatives; }, c);
     },
     kClassOnly},
    {{"precision", "Precision"},
     kValues,
     kUp,
     [](Config& c, Columns k) { return measure_ratio(precision, c, k); },
     kClassOnly},
    {{"recall", "Recall"},
     kValues,
     kUp,
     [](Config& c, Columns k) { return measure_ratio(recall, c, k); },
     kClassOnly},
    {{"f1_score", "F1Score"}, kValues, kUp, measure_f_score, kClassOnly},
    {{"fbeta_score", "FBetaScore", "f_beta_score"}, kValues, kUp, measure_fbeta_score, kClassOnly},
    {{"auc", "AUC"}, kValues, kUp, measure_auc, kClassOnly},
    {{"precision_at_recall", "PrecisionAtRecall"},
     kValues,
     kUp,
     [](Config& c, Columns k) { return measure_at(precision, recall, "recall", c, k); },
     kClassOnly},
    {{"recall_at_precision", "RecallAtPrecision"},
     kValues,
     kUp,
     [](Config& c, Columns k) { return measure_at(recall, precision, "precision", c, k); },
     kClassOnly},
    {{"sensitivity_at_specificity", "SensitivityAtSpecificity"},
     kValues,
     kUp,
     [](Config& c, Columns k) { return measure_at(recall, specificity, "specificity", c, k); },
     kClassOnly},
    {{"specificity_at_sensitivity", "SpecificityAtSensitivity"},
     kValues,
     kUp,
     [](Config& c, Columns k) { return measure_at(specificity, recall, "sensitivity", c, k); },
     kClassOnly},
    {{"binary_io_u", "BinaryIoU", "binary_iou"}, kValues, kUp, measure_binary_iou, kClassOnly},
};

/// Null if there is none of that name.
const Known* find_known(std::string_view name) {
  const auto* found = std::ranges::find_if(kKnown, [&](const Known& k) { return k.has(name); });
  return found == std::end(kKnown) ? nullptr : found;
}

/// What a string in a list of metrics means: "accuracy", in any case of letters, depends on the
/// network, as in Keras. Null if there is none of that name.
const Known* resolve(std::string_view name, std::int64_t output_columns, TargetKind kind) {
  const std::string lower = lower_case(name);
  if (lower != "accuracy" && lower != "acc") return find_known(name);
  if (output_columns == 1) return find_known("binary_accuracy");
  return find_known(kind == kClasses ? "sparse_categorical_accuracy" : "categorical_accuracy");
}

[[noreturn]] void fail_unknown(std::string_view name) {
  fail(ExitCode::kBadData, "[metric] expected a known metric, got '{}'{}", name,
       did_you_mean(name, known_metrics()));
}

class KnownMetric final : public Metric {
 public:
  KnownMetric(std::string name, const Known& known, Measure measure, bool has_defaults)
      : name_(std::move(name)),
        known_(known),
        measure_(std::move(measure)),
        has_defaults_(has_defaults) {}

  const std::string& name() const override { return name_; }
  /// As a class, unless the name says all: Keras 2 reads the name "accuracy" from a file as another
  /// metric than in compile() (tf_keras 2.21), and Keras 3 cannot read Keras 2's own form.
  Json to_json() const override {
    if (known_.is_function && known_.has(name_) && has_defaults_) return name_;
    Json config = {{"name", name_}, {"dtype", "float32"}};
    config.update(measure_.settings);
    return {{"class_name", known_.names[1]}, {"config", std::move(config)}};
  }
  bool larger_is_better() const override { return known_.larger_is_better; }
  std::size_t sums() const override { return measure_.sums; }
  void add(ConstMatrix predictions, const Targets& targets, std::span<double> sums) const override {
    check_targets(known_.names[0], predictions, targets, known_.kind);
    measure_.add(predictions, targets, sums);
  }
  double result(std::span<const double> sums, double positions) const override {
    return measure_.result ? measure_.result(sums, positions) : Metric::result(sums, positions);
  }

 private:
  std::string name_;
  const Known& known_;
  Measure measure_;
  bool has_defaults_;
};

void check_kind(const Known& known, TargetKind kind) {
  constexpr std::string_view kClassWords = "class indices";
  constexpr std::string_view kValueWords = "numbers of the outputs' shape";
  const bool classes = known.kind == kClasses;
  check(known.kind == kind, ExitCode::kBadData,
        "[{}] expected a loss whose targets are {}, got one whose targets are {}", known.names[0],
        classes ? kClassWords : kValueWords, classes ? kValueWords : kClassWords);
}

Json default_settings(const Known& known, std::int64_t columns) {
  const Json none = Json::object();
  KerasConfig config(none, settings_of(known.names[0]));
  return known.make(config, columns).settings;
}

}  // namespace

double Metric::result(std::span<const double> sums, double positions) const {
  return sums[0] / positions;
}

std::vector<std::string> known_metrics() {
  std::vector<std::string> names = {"accuracy"};
  for (const Known& known : kKnown) names.emplace_back(known.names[0]);
  return names;
}

std::unique_ptr<Metric> make_metric(const Json& json, std::int64_t output_columns,
                                    TargetKind kind) {
  const KerasObject object = keras_object(json, "metric");
  const bool by_name = json.is_string() || json["class_name"] == "function";
  KerasConfig config(object.config, settings_of(object.name));
  const bool wrapper = !by_name && object.name == "MeanMetricWrapper";
  const Json* wrapped = wrapper ? config.find("fn") : nullptr;
  if (wrapper && wrapped == nullptr) config.refuse("fn", "a function", "nothing");
  const std::string wanted = wrapper ? keras_object(*wrapped, object.name).name : object.name;
  const Known* known = by_name ? resolve(wanted, output_columns, kind) : find_known(wanted);
  if (known == nullptr) fail_unknown(wanted);
  check_kind(*known, kind);
  const std::string name =
      by_name ? object.name : printable(config.text("name", std::string(known->names[0])));
  // A column of history.csv.
  if (name.empty() || name == "loss" || name.starts_with("val_") ||
      name.find_first_of(",\"") != std::string::npos)
    config.object_to("name",
                     "a name other than loss, without commas and quotes, which does not "
                     "begin with val_",
                     describe(name));
  config.expect_float32();
  Measure measure = known->make(config, output_columns);
  config.finish();
  const bool has_defaults = measure.settings == default_settings(*known, output_columns);
  return std::make_unique<KnownMetric>(name, *known, std::move(measure), has_defaults);
}

}  // namespace lockstep
