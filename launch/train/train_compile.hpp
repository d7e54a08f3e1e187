#pragma once

#include <nlohmann/json.hpp>

#include "launch/train/train_options.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// Keras's, of the optimizer of this name; throws Error (64) for one that Lockstep lacks.
double default_learning_rate(const std::string& optimizer);

/// Keras's optimizer object for the settings: `base` (null: Keras's defaults), with what the
/// settings change in it. Throws Error (64) for an option that the optimizer or the schedule lacks.
nlohmann::ordered_json optimizer_json(const TrainSettings& settings,
                                      const nlohmann::ordered_json& base);

/// Whether the settings keep the state of an optimizer with this Keras JSON (--from).
bool keeps_optimizer(const TrainSettings& settings, const nlohmann::ordered_json& base);

/// The names of the metrics that go with the loss if the user names none; of a loss that Lockstep
/// lacks, which is refused later, any.
std::string default_metrics_of(const std::string& loss);

/// The loss that compile_by() takes.
nlohmann::ordered_json loss_by(const TrainSettings& settings, const Sequential& model);

/// compile()s the built model by the settings, over what it was compiled with already.
void compile_by(const TrainSettings& settings, Sequential& model);

/// "accuracy, mse" as a list.
std::vector<std::string> split_names(const std::string& text);

}  // namespace lockstep
