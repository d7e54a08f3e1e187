#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/keras/history.hpp"
#include "io/keras/keras_file.hpp"

namespace lockstep {

/// How training stands between two epochs: what a checkpoint holds beside the model's weights.
struct TrainingState {
  std::int64_t epoch = 0;  ///< epochs done
  bool stopped = false;    ///< a callback has ended training: there is nothing to go on with
  std::uint64_t seed = 0;
  History history;
  std::vector<std::pair<std::string, std::string>> callbacks;  ///< (Callback::name, state)

  // These two stand in the file's optimizer state, not in the JSON.
  std::int64_t iterations = 0;
  OptimizerSlots slots;
};

/// The JSON text of /lockstep's attribute `training_state`; every number keeps its bits.
std::string to_json_text(const TrainingState& state);
/// Throws Error (65) if it is not what to_json_text writes, or of a newer format.
TrainingState training_state_from_json(const std::string& text);

}  // namespace lockstep
