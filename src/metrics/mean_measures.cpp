// Means over positions, and what is computed of them.
#include <cmath>
#include <memory>
#include <string>

#include "src/losses/element_losses.hpp"
#include "src/losses/loss.hpp"
#include "src/losses/row_losses.hpp"
#include "src/metrics/accuracy.hpp"
#include "src/metrics/measure.hpp"
#include "src/metrics/scores.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

/// The sum of one number of each position.
template <class Sum>
Measure mean_of(const Sum& sum) {
  return {.add = [sum](ConstMatrix p, const Targets& t, std::span<double> sums) {
    sums[0] += sum(p, t);
  }};
}

/// A loss reads its outputs alone unless it is fused.
double sum_of(const Loss& loss, ConstMatrix p, const Targets& t) {
  return loss.compute({const_cast<float*>(p.data), p.rows, p.columns}, t, {}, 1, false);
}

/// Of classes or of values.
using TopK = double (*)(ConstMatrix predictions, const Targets& targets, std::int64_t k);

Measure top_k(TopK sum, KerasConfig& config) {
  const std::int64_t k = config.integer("k", 5, 1, KerasConfig::kMaxInteger);
  Measure measure = mean_of([=](ConstMatrix p, const Targets& t) { return sum(p, t, k); });
  measure.settings["k"] = k;
  return measure;
}

}  // namespace

Measure measure_binary_accuracy(KerasConfig& config, std::int64_t) {
  const double threshold = config.number("threshold", 0.5);
  Measure measure = mean_of(
      [threshold](ConstMatrix p, const Targets& t) { return binary_accuracy(p, t, threshold); });
  measure.settings["threshold"] = threshold;
  return measure;
}

Measure measure_categorical_accuracy(KerasConfig&, std::int64_t) {
  return mean_of(categorical_accuracy);
}

Measure measure_sparse_categorical_accuracy(KerasConfig&, std::int64_t) {
  return mean_of(sparse_categorical_accuracy);
}

Measure measure_top_k(KerasConfig& config, std::int64_t) {
  return top_k(top_k_categorical_accuracy, config);
}

Measure measure_sparse_top_k(KerasConfig& config, std::int64_t) {
  return top_k(sparse_top_k_categorical_accuracy, config);
}

Measure measure_loss(const char* loss, std::initializer_list<const char*> settings,
                     KerasConfig& config) {
  Json json = {{"class_name", loss}, {"config", Json::object()}};
  for (const char* key : settings)
    if (const Json* value = config.find(key)) json["config"][key] = *value;
  config.expect("axis", -1);
  config.expect("ignore_class", nullptr);
  const std::shared_ptr<const Loss> made = make_loss(json);
  Measure measure =
      mean_of([made](ConstMatrix p, const Targets& t) { return sum_of(*made, p, t); });
  const Json written = made->to_json();
  if (written.is_object()) measure.settings = written["config"];
  return measure;
}

Measure measure_cosine_similarity(KerasConfig& config, std::int64_t) {
  config.expect("axis", -1);
  const std::shared_ptr<const Loss> loss = cosine_similarity();
  return mean_of([loss](ConstMatrix p, const Targets& t) { return -sum_of(*loss, p, t); });
}

Measure measure_root_mean_squared_error(KerasConfig&, std::int64_t) {
  const std::shared_ptr<const Loss> loss = mean_squared_error();
  Measure measure =
      mean_of([loss](ConstMatrix p, const Targets& t) { return sum_of(*loss, p, t); });
  measure.result = [](std::span<const double> sums, double positions) {
    return std::sqrt(sums[0] / positions);
  };
  return measure;
}

Measure measure_r2_score(KerasConfig& config, std::int64_t columns) {
  constexpr const char* kKey = "class_aggregation";
  constexpr const char* kWeighted = "variance_weighted_average";
  const std::string aggregation =
      config.word(kKey, "uniform_average", {"uniform_average", kWeighted});
  const R2Score score{
      .weighted_by_variance = aggregation == kWeighted,
      .regressors = config.integer("num_regressors", 0, 0, KerasConfig::kMaxInteger)};
  return {.sums = score.sums(columns),
          .add = [score](ConstMatrix p, const Targets& t,
                         std::span<double> sums) { score.add(p, t, sums); },
          .result = [score](std::span<const double> sums,
                            double positions) { return score.result(sums, positions); },
          .settings = {{kKey, aggregation}, {"num_regressors", score.regressors}}};
}

}  // namespace lockstep
