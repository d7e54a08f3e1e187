#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distributed/training/epoch_meter.hpp"
#include "distributed/training/run_identity.hpp"
#include "io/keras/history.hpp"
#include "io/keras/keras_file.hpp"

namespace lockstep {

/// How training stands after a step or an epoch: what a checkpoint holds beside the model's
/// weights.
struct TrainingState {
  std::int64_t epoch = 0;  ///< epochs done
  EpochTotals amid;        ///< of the epoch under way; no steps between two epochs
  bool stopped = false;    ///< a callback has ended training: nothing follows the epoch under way
  std::uint64_t seed = 0;
  std::optional<double> learning_rate;       ///< if a callback has set it: it counts from now on
  std::optional<double> next_learning_rate;  ///< and amid an epoch, the one from the next on
  History history;
  std::vector<std::pair<std::string, std::string>> callbacks;  ///< (Callback::name, state)
  /// Whose state it is. To go on with other data or options on purpose, empty it first.
  RunIdentity identity;

  // These two stand in the file's optimizer state, not in the JSON.
  std::int64_t iterations = 0;
  OptimizerSlots slots;
  // And these in the group /lockstep. None: zeros.
  CarriedStates states = {};
};

/// Throws Error (65) if these numbers cannot be those of a training: a negative or absurd epoch or
/// step, a history of more epochs than were done or of epochs in another order.
void check_training_state(const TrainingState& state);

/// That the state is of this run: CollectiveError (64) if options or network differ, (65) if the
/// data do. The same on every rank.
void check_same_run(const TrainingState& state, const RunIdentity& here);

/// Where it stands and a hash of all of it, to be compared over ranks.
std::string describe(const TrainingState& state);

/// The JSON text of /lockstep's attribute `training_state`; every number keeps its bits.
std::string to_json_text(const TrainingState& state);
/// Reads what to_json_text writes, and the format before it, which had no identity. Throws Error
/// (65) if it is neither, or of a newer format, or if check_training_state() refuses it.
TrainingState training_state_from_json(const std::string& text);

}  // namespace lockstep
