#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// Like a loss, a metric returns a sum over positions; the mean is taken once, over all ranks.
class Metric {
 public:
  virtual ~Metric() = default;
  /// As the user wrote it: "accuracy" and "acc" keep their spelling, as in Keras.
  virtual const std::string& name() const = 0;
  virtual nlohmann::ordered_json to_json() const = 0;
  /// Whether larger is better, for EarlyStopping and ModelCheckpoint in mode auto.
  virtual bool larger_is_better() const = 0;
  /// The sum of the positions' values; predictions: (positions, K).
  virtual double sum(ConstMatrix predictions, const Targets& targets) const = 0;
};

/// From a Keras name; "accuracy" and "acc" become binary, sparse categorical or categorical
/// accuracy by the outputs' last axis and the kind of targets, as in Keras. Also:
/// binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, top_k_categorical_accuracy,
/// sparse_top_k_categorical_accuracy (k = 5), mean_squared_error (mse), mean_absolute_error (mae).
/// JSON: the name, or Keras 2's {"class_name": "MeanMetricWrapper", "config": {"name", "fn"}} or
/// {"class_name": "SparseTopKCategoricalAccuracy", "config": {"name", "k"}} and its kin.
/// Throws Error (65), naming it, if Lockstep lacks it or it does not fit the kind of targets.
std::unique_ptr<Metric> make_metric(const nlohmann::ordered_json& json, std::int64_t output_columns,
                                    TargetKind kind);

}  // namespace lockstep
