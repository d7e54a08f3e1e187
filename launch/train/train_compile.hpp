#pragma once

#include <nlohmann/json.hpp>

#include "launch/train/train_settings.hpp"
#include "src/model/network.hpp"

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

/// What compile_by is for: evaluate needs no optimizer.
enum class CompileFor { kTraining, kEvaluation };

/// compile()s the built model by the settings, over `saved`: the training config of the network's
/// file (null if it has none), of which only what the settings do not replace need be known. Where
/// the settings replace the loss, the file's "accuracy" is resolved anew. Throws Error: 65 that
/// names all that is unknown and the options that replace it; 64 for the settings. Returns what was
/// made of the file's optimizer in one line, empty if it is kept.
std::string compile_by(const TrainSettings& settings, const nlohmann::ordered_json& saved,
                       Network& model, CompileFor purpose = CompileFor::kTraining);

/// "accuracy, mse" as a list; commas in parentheses do not count.
std::vector<std::string> split_names(const std::string& text);

}  // namespace lockstep
