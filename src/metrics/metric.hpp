#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// Like a loss, a metric is made of sums over positions: those of all ranks are added up, and the
/// result is taken of them once.
class Metric {
 public:
  virtual ~Metric() = default;
  /// As the user wrote it: "accuracy" and "acc" keep their spelling, as in Keras.
  virtual const std::string& name() const = 0;
  virtual nlohmann::ordered_json to_json() const = 0;
  /// Whether larger is better, for EarlyStopping and ModelCheckpoint in mode auto.
  virtual bool larger_is_better() const = 0;

  /// How many numbers positions add up to.
  virtual std::size_t sums() const { return 1; }
  /// Adds those of these positions; predictions: (positions, K).
  virtual void add(ConstMatrix predictions, const Targets& targets,
                   std::span<double> sums) const = 0;
  /// Of the sums over so many positions, more than 0. Here their mean.
  virtual double result(std::span<const double> sums, double positions) const;
};

/// From a Keras name or class; known_metrics() are the names. "accuracy" and "acc" become binary,
/// sparse categorical or categorical accuracy by the outputs' last axis and the kind of targets, as
/// in Keras.
/// JSON: the name, or {"class_name": "AUC", "config": {"name", ...}}, or Keras 2's
/// {"class_name": "MeanMetricWrapper", "config": {"name", "fn"}}.
/// Throws Error (65), naming it, if Lockstep lacks it or it does not fit the kind of targets.
std::unique_ptr<Metric> make_metric(const nlohmann::ordered_json& json, std::int64_t output_columns,
                                    TargetKind kind);
std::vector<std::string> known_metrics();

}  // namespace lockstep
