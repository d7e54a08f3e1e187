#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "src/core/problems.hpp"
#include "src/losses/loss.hpp"
#include "src/model/sequential.hpp"
#include "src/optimizers/optimizer.hpp"

namespace lockstep {

/// What a file says of how its network was compiled, by parts, each of which may be replaced by an
/// option. A part that Lockstep lacks is a problem of that part alone.
struct TrainingConfig {
  nlohmann::ordered_json optimizer;  ///< null if there is none
  nlohmann::ordered_json loss;       ///< null if there is none
  nlohmann::ordered_json metrics = nlohmann::ordered_json::array();
  Problems optimizer_problems;
  Problems loss_problems;
  Problems metrics_problems;
};

/// From Keras 2's training_config or Keras 3's compile_config. Throws Error (65) if it is no
/// object.
TrainingConfig read_training_config(const nlohmann::ordered_json& json);

/// The metric that Keras's JSON means for outputs of so many columns and targets of this kind;
/// "accuracy" under that name is resolved anew where the file's does not fit. Throws Error (65).
nlohmann::ordered_json fitting_metric(const nlohmann::ordered_json& json, std::int64_t columns,
                                      TargetKind kind);
/// Whether the metric is the one that is called "accuracy", whatever it was resolved to.
bool is_named_accuracy(const nlohmann::ordered_json& metric);

}  // namespace lockstep
