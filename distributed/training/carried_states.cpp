#include "distributed/training/carried_states.hpp"

#include <algorithm>
#include <vector>

#include "distributed/ranks/agreement.hpp"

namespace lockstep {
namespace {

const std::string& stateful_layer(const Network& model) {
  return model.graph().states().front()->layer();
}

}  // namespace

void check_whole_batches(const Network& model, std::int64_t batch_size, std::int64_t rows,
                         const std::string& what) {
  if (!model.is_stateful()) return;
  check_collectively(model.batch_size() == batch_size, ExitCode::kUsage,
                     "[{}] expected batches of {} rows, for which the stateful layer is made, got "
                     "{} {} rows in batches of {}",
                     stateful_layer(model), model.batch_size(), rows, what, batch_size);
  check_collectively(rows % batch_size == 0, ExitCode::kUsage,
                     "[{}] expected whole batches of {} rows for a stateful layer, got {} {} rows, "
                     "of which {} are left over",
                     stateful_layer(model), batch_size, rows, what, rows % batch_size);
}

void check_stateful(Network& model, const TrainOptions& options, std::int64_t training_rows,
                    std::int64_t validation_rows) {
  if (!model.is_stateful()) {
    check_collectively(!options.reset_states, ExitCode::kUsage,
                       "[trainer] expected a stateful layer with reset-states epoch, got a network "
                       "without one");
    return;
  }
  check_collectively(!options.shuffle, ExitCode::kUsage,
                     "[{}] expected rows in order (no-shuffle) for a stateful layer, whose samples "
                     "go on where those of the batch before have ended, got shuffle",
                     stateful_layer(model));
  if (model.batch_size() == 0) model.set_batch_size(options.batch_size);
  check_whole_batches(model, options.batch_size, training_rows, "training");
  if (validation_rows == 0) return;
  check_whole_batches(
      model, options.validation_batch_size > 0 ? options.validation_batch_size : options.batch_size,
      validation_rows, "validation");
}

void share_states(const Network& model, const Communicator& communicator, const StepPlan& plan) {
  if (!model.is_stateful() || communicator.size() == 1) return;
  const Range mine = plan.rows_of(communicator.rank());
  std::vector<float> rows;
  for (const auto& state : model.graph().states()) {
    const Matrix of_rank = state->before().rows_from(mine.first, mine.count());
    rows.assign(of_rank.data, of_rank.data + of_rank.size());
    // Ranks have ascending rows.
    const std::vector<std::byte> all = communicator.gather(std::as_bytes(std::span(rows)));
    if (communicator.is_root())
      std::ranges::copy(all, std::as_writable_bytes(state->before().flat()).begin());
  }
  broadcast_states(model, communicator);
}

void broadcast_states(const Network& model, const Communicator& communicator) {
  for (const auto& state : model.graph().states()) communicator.broadcast(state->before().flat());
}

CarriedStates copy_states(const Network& model) {
  CarriedStates states;
  for (const auto& state : model.graph().states()) {
    const std::span<const float> numbers = state->before().flat();
    states.emplace_back(numbers.begin(), numbers.end());
  }
  return states;
}

void restore_states(const Network& model, const CarriedStates& states) {
  model.begin_states();
  model.reset_states();
  if (states.empty()) return;
  const auto& carried = model.graph().states();
  check(states.size() == carried.size() &&
            std::ranges::equal(states, carried, {}, &std::vector<float>::size,
                               [](const auto& state) { return state->before().flat().size(); }),
        ExitCode::kBadData,
        "[training state] expected {} states of stateful layers for batches of {} rows, got others",
        carried.size(), model.batch_size());
  for (std::size_t i = 0; i < states.size(); ++i)
    std::ranges::copy(states[i], carried[i]->before().flat().begin());
}

}  // namespace lockstep
