// What is computed of counts of right and wrong predictions.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "src/core/elementary.hpp"
#include "src/core/error.hpp"
#include "src/metrics/measure.hpp"
#include "src/metrics/scores.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostThresholds = 10'000;

void add_to(std::span<double> sums, const Confusion& c) {
  sums[0] += c.true_positives;
  sums[1] += c.false_positives;
  sums[2] += c.true_negatives;
  sums[3] += c.false_negatives;
}

Confusion confusion_in(std::span<const double> sums) {
  return {sums[0], sums[1], sums[2], sums[3]};
}

Measure of_confusion(OfConfusion value, const ConfusionRule& rule, Json settings) {
  return {
      .sums = 4,
      .add = [rule](ConstMatrix p, const Targets& t,
                    std::span<double> sums) { add_to(sums, confusion_of(p, t, rule)); },
      .result = [value](std::span<const double> sums, double) { return value(confusion_in(sums)); },
      .settings = std::move(settings)};
}

/// One number, alone or in a list: several would make several results.
float read_threshold(KerasConfig& config, float absent) {
  const Json* const value = config.find("thresholds");
  if (value == nullptr) return absent;
  const Json& one = value->is_array() && value->size() == 1 ? value->front() : *value;
  if (one.is_number() && one.get<double>() >= 0 && one.get<double>() <= 1) return one.get<float>();
  config.object_to("thresholds", "one number from 0 to 1", describe(*value));
  return absent;
}

std::optional<std::int64_t> read_class(KerasConfig& config, std::int64_t columns) {
  if (config.find("class_id") == nullptr) return {};
  return config.integer("class_id", 0, std::max<std::int64_t>(columns - 1, 0));
}

Json as_json(const std::optional<std::int64_t>& number) {
  return number ? Json(*number) : Json();
}

Json threshold_json(KerasConfig& config) {
  const Json* const value = config.find("thresholds");
  return value ? *value : Json();
}

Measure f_score(double beta, KerasConfig& config, std::int64_t columns) {
  const std::string average = config.word("average", "", {"micro", "macro", "weighted"});
  if (average.empty())
    config.object_to("average", "'micro', 'macro' or 'weighted'",
                     "none, of which Keras makes a number for each class");
  FScore score{.average = average == "micro"   ? Average::kMicro
                          : average == "macro" ? Average::kMacro
                                               : Average::kWeighted,
               .beta = beta};
  if (config.find("threshold")) score.threshold = config.number("threshold", kUpToOne);
  return {.sums = score.sums(columns),
          .add = [score](ConstMatrix p, const Targets& t,
                         std::span<double> sums) { score.add(p, t, sums); },
          .result = [score](std::span<const double> sums, double) { return score.result(sums); },
          .settings = {{"average", average},
                       {"threshold", score.threshold ? Json(*score.threshold) : Json()}}};
}

/// Of the class of ones and that of zeros, whichever are asked for and there are.
double intersection_over_union(const Confusion& c, bool of_zeros, bool of_ones) {
  constexpr double kEpsilon = 1e-7;
  constexpr double kNone = 1e-9;
  const double wrong = c.false_positives + c.false_negatives;
  double sum = 0;
  double classes = 0;
  const auto add = [&](double right) {
    if (right + wrong <= kNone) return;
    sum += right / (right + wrong + kEpsilon);
    classes += 1;
  };
  if (of_zeros) add(c.true_negatives);
  if (of_ones) add(c.true_positives);
  return sum / (classes + kEpsilon);
}

/// Counts by thresholds; `value` of the confusions at them.
template <class Value>
Measure of_curve(ThresholdCounts counts, std::optional<std::int64_t> class_id, bool from_logits,
                 Json settings, const Value& value) {
  const auto shared = std::make_shared<const ThresholdCounts>(std::move(counts));
  return {.sums = shared->size(),
          .add =
              [=](ConstMatrix p, const Targets& t, std::span<double> sums) {
                const std::int64_t first = class_id.value_or(0);
                const std::int64_t last = class_id ? first + 1 : p.columns;
                for (std::int64_t i = 0; i < p.rows; ++i)
                  for (std::int64_t j = first; j < last; ++j) {
                    const float number = p.row(i)[j];
                    shared->add(from_logits ? elementary::sigmoid(number) : number,
                                t.values.row(i)[j] != 0, sums);
                  }
              },
          .result = [=](std::span<const double> sums,
                        double) { return value(shared->confusions(sums)); },
          .settings = std::move(settings)};
}

/// AUC's: a little below 0, those between, a little above 1.
ThresholdCounts read_thresholds(KerasConfig& config, std::int64_t n) {
  const Json* const given = config.find("thresholds");
  if (given == nullptr) return ThresholdCounts::even(n, true);
  std::vector<double> between;
  const bool numbers = given->is_array() && !given->empty() &&
                       std::ssize(*given) <= kMostThresholds &&
                       std::ranges::all_of(*given, [](const Json& x) {
                         return x.is_number() && x.get<double>() >= 0 && x.get<double>() <= 1;
                       });
  if (numbers)
    between = given->get<std::vector<double>>();
  else
    config.object_to("thresholds", "a list of numbers from 0 to 1", describe(*given));
  std::ranges::sort(between);
  // Keras bins where they are as good as even.
  constexpr double kNear = 1e-7;
  const auto last = static_cast<double>(between.size() + 1);
  bool even = true;
  for (std::size_t i = 0; i < between.size(); ++i) {
    const double wanted = static_cast<double>(i + 1) / last;
    even = even && std::abs(between[i] - wanted) <= kNear + 1e-5 * wanted;
  }
  std::vector<float> all = {-1e-7f};
  for (const double x : between) all.push_back(static_cast<float>(x));
  all.push_back(static_cast<float>(1 + 1e-7));
  return {std::move(all), even, even};
}

}  // namespace

Measure measure_count(OfConfusion value, KerasConfig& config) {
  const ConfusionRule rule{.threshold = read_threshold(config, 0.5f)};
  return of_confusion(value, rule, {{"thresholds", threshold_json(config)}});
}

Measure measure_ratio(OfConfusion value, KerasConfig& config, std::int64_t columns) {
  constexpr float kNone = -1e10f;  // Keras's, where the largest are looked for
  ConfusionRule rule;
  if (config.find("top_k"))
    rule.top_k = config.integer("top_k", 1, std::max<std::int64_t>(columns, 1));
  rule.threshold = read_threshold(config, rule.top_k ? kNone : 0.5f);
  rule.class_id = read_class(config, columns);
  return of_confusion(value, rule,
                      {{"thresholds", threshold_json(config)},
                       {"top_k", as_json(rule.top_k)},
                       {"class_id", as_json(rule.class_id)}});
}

Measure measure_f_score(KerasConfig& config, std::int64_t columns) {
  return f_score(1, config, columns);
}

Measure measure_fbeta_score(KerasConfig& config, std::int64_t columns) {
  const double beta = config.number("beta", 1, kPositive);
  Measure measure = f_score(beta, config, columns);
  measure.settings["beta"] = beta;
  return measure;
}

Measure measure_binary_iou(KerasConfig& config, std::int64_t) {
  const double threshold = config.number("threshold", 0.5);
  const bool all = config.find("target_class_ids") == nullptr;
  const std::vector<std::int64_t> ids =
      all ? std::vector<std::int64_t>{0, 1} : config.integers("target_class_ids", 0, 1);
  const bool of_zeros = std::ranges::find(ids, 0) != ids.end();
  const bool of_ones = std::ranges::find(ids, 1) != ids.end();
  const ConfusionRule rule{.threshold = static_cast<float>(threshold), .or_equal = true};
  Measure measure = of_confusion({}, rule, {{"target_class_ids", ids}, {"threshold", threshold}});
  measure.result = [=](std::span<const double> sums, double) {
    return intersection_over_union(confusion_in(sums), of_zeros, of_ones);
  };
  return measure;
}

Measure measure_auc(KerasConfig& config, std::int64_t) {
  const std::string curve =
      config.word("curve", "ROC", {"ROC", "roc", "PR", "pr", "PRGAIN", "prgain"});
  const std::string summation =
      config.word("summation_method", "interpolation", {"interpolation", "minoring", "majoring"});
  const std::int64_t n = config.integer("num_thresholds", 200, 2, kMostThresholds);
  const bool from_logits = config.boolean("from_logits", false);
  config.expect("multi_label", false);
  config.expect("num_labels", nullptr);
  config.expect("label_weights", nullptr);
  const Curve kind = curve == "ROC" || curve == "roc" ? Curve::kRoc
                     : curve == "PR" || curve == "pr" ? Curve::kPr
                                                      : Curve::kPrGain;
  const Summation method = summation == "minoring"   ? Summation::kMinoring
                           : summation == "majoring" ? Summation::kMajoring
                                                     : Summation::kInterpolation;
  Json settings = {{"num_thresholds", n},           {"curve", curve},
                   {"summation_method", summation}, {"multi_label", false},
                   {"num_labels", nullptr},         {"label_weights", nullptr},
                   {"from_logits", from_logits}};
  if (const Json* thresholds = config.find("thresholds")) settings["thresholds"] = *thresholds;
  return of_curve(
      read_thresholds(config, n), {}, from_logits, std::move(settings),
      [=](const std::vector<Confusion>& points) { return area_under(kind, method, points); });
}

Measure measure_at(OfConfusion value, OfConfusion constrained, const char* key, KerasConfig& config,
                   std::int64_t columns) {
  const double least = config.number(key, kUpToOne);
  const std::int64_t n = config.integer("num_thresholds", 200, 1, kMostThresholds);
  const std::optional<std::int64_t> class_id = read_class(config, columns);
  return of_curve(ThresholdCounts::even(n, false), class_id, false,
                  {{"num_thresholds", n}, {key, least}, {"class_id", as_json(class_id)}},
                  [=](const std::vector<Confusion>& points) {
                    double best = 0;
                    for (const Confusion& point : points)
                      if (constrained(point) >= least) best = std::max(best, value(point));
                    return best;
                  });
}

}  // namespace lockstep
