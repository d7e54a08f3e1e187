#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>

#include "src/core/keras_config.hpp"
#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"
#include "src/metrics/confusion.hpp"
#include "src/metrics/threshold_curve.hpp"

namespace lockstep {

/// What a metric computes, see Metric, and its settings by Keras's keys.
struct Measure {
  using Add = std::function<void(ConstMatrix predictions, const Targets&, std::span<double> sums)>;
  using Result = std::function<double(std::span<const double> sums, double positions)>;

  std::size_t sums = 1;
  Add add;
  Result result = {};  ///< none: the mean
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();
};

// Each reads its settings; `columns`: K of the predictions.

Measure measure_binary_accuracy(KerasConfig& config, std::int64_t columns);
Measure measure_categorical_accuracy(KerasConfig& config, std::int64_t columns);
Measure measure_sparse_categorical_accuracy(KerasConfig& config, std::int64_t columns);
Measure measure_top_k(KerasConfig& config, std::int64_t columns);
Measure measure_sparse_top_k(KerasConfig& config, std::int64_t columns);

/// The mean of a loss, whose settings these are, too.
Measure measure_loss(const char* loss, std::initializer_list<const char*> settings,
                     KerasConfig& config);
Measure measure_cosine_similarity(KerasConfig& config, std::int64_t columns);
Measure measure_root_mean_squared_error(KerasConfig& config, std::int64_t columns);
Measure measure_r2_score(KerasConfig& config, std::int64_t columns);

using OfConfusion = double (*)(const Confusion&);
/// One of the four counts: of all numbers of a position, at one threshold.
Measure measure_count(OfConfusion value, KerasConfig& config);
/// The same, which may also look at the largest or at one column.
Measure measure_ratio(OfConfusion value, KerasConfig& config, std::int64_t columns);
Measure measure_f_score(KerasConfig& config, std::int64_t columns);
Measure measure_fbeta_score(KerasConfig& config, std::int64_t columns);
Measure measure_binary_iou(KerasConfig& config, std::int64_t columns);
Measure measure_auc(KerasConfig& config, std::int64_t columns);
/// The largest `value` of the thresholds at which `constrained` is at least the number that stands
/// under `key`.
Measure measure_at(OfConfusion value, OfConfusion constrained, const char* key, KerasConfig& config,
                   std::int64_t columns);

}  // namespace lockstep
