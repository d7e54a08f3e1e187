#include "distributed/training/training_state.hpp"

#include <nlohmann/json.hpp>

#include "io/keras/exact_json.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {
constexpr int kFormat = 1;
}  // namespace

std::string to_json_text(const TrainingState& state) {
  nlohmann::ordered_json callbacks = nlohmann::ordered_json::array();
  for (const auto& [name, text] : state.callbacks) callbacks.push_back({name, text});
  return nlohmann::ordered_json{{"format", kFormat},
                                {"epoch", state.epoch},
                                {"stopped", state.stopped},
                                {"seed", state.seed},
                                {"history", history_to_json(state.history)},
                                {"callbacks", callbacks}}
      .dump();
}

TrainingState training_state_from_json(const std::string& text) {
  try {
    const auto json = nlohmann::ordered_json::parse(text);
    check(json.at("format") == kFormat, ExitCode::kBadData,
          "[training state] expected format {}, got {}", kFormat, json.at("format").dump());
    TrainingState state;
    state.epoch = json.at("epoch");
    state.stopped = json.at("stopped");
    state.seed = json.at("seed");
    state.history = history_from_json(json.at("history"));
    for (const auto& entry : json.at("callbacks"))
      state.callbacks.emplace_back(entry.at(0).get<std::string>(), entry.at(1).get<std::string>());
    return state;
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::kBadData, "[training state] expected what a checkpoint of Lockstep holds: {}",
         error.what());
  }
}

}  // namespace lockstep
