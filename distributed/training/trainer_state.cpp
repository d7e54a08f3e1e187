// What Trainer begins with, follows, saves and goes on from; its algorithm is in trainer.cpp.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/ranks/replica_check.hpp"
#include "distributed/ranks/setup_check.hpp"
#include "distributed/training/carried_states.hpp"
#include "distributed/training/trainer.hpp"
#include "io/files/atomic_file.hpp"
#include "src/core/fault.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/memory.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

/// That all ranks were given the same things, and that they fit each other.
void Trainer::check_agreement(const ArrayDataset& data,
                              const std::optional<ArrayDataset>& validation) {
  check_same_everywhere(communicator_, "network", describe_network(model_));
  check_same_rows(communicator_, "rows", &data, options_.verify_data);
  check_same_rows(communicator_, "validation rows", validation ? &*validation : nullptr,
                  options_.verify_data);
  check_collectively(data.rows() > 0, ExitCode::kBadData,
                     "[trainer] expected at least one row to train on, got none");
  check_data(communicator_, model_, data, "x", "y");
  if (validation)
    check_data(communicator_, model_, *validation, "validation x", "validation y",
               "validation sample_weight");
}

void Trainer::set_identity(Facts options, Facts inputs) {
  identity_.options = std::move(options);
  identity_.inputs = std::move(inputs);
  inputs_given_ = true;
}

/// What the checkpoints of this fit will say that they are of.
void Trainer::identify(const ArrayDataset& data, const std::optional<ArrayDataset>& validation) {
  identity_.trainer = trainer_facts(options_, model_);
  if (inputs_given_) return;
  identity_.inputs = data_facts(communicator_, data, "x", "y");
  if (!validation) return;
  for (Fact& fact : data_facts(communicator_, *validation, "x-val", "y-val", "sample-weight-val"))
    identity_.inputs.push_back(std::move(fact));
}

/// All ranks set out from the same place: from the restored state, or from first weights.
void Trainer::set_out() {
  check_same_everywhere(communicator_, "state to go on from",
                        restored_ ? describe(*restored_) : "none");
  set_rate_.reset();
  if (restored_) {
    check_same_run(*restored_, identity_);
    epoch_ = restored_->epoch;
    requests_ = restored_->stopped ? kStopRequest : 0;
    history_ = std::move(restored_->history);
    if (!wanted_rate_) wanted_rate_ = restored_->next_learning_rate;
    model_.optimizer().set_iterations(restored_->iterations);
    together(communicator_, [&] {
      if (restored_->learning_rate) set_rate(*restored_->learning_rate);
      distributed_optimizer_->restore_slots(restored_->slots);
      restore_states(model_, restored_->states);
      restore_callbacks();
      meter_.begin(epoch_ + 1, std::move(restored_->amid));
    });
    restored_.reset();
  } else {
    epoch_ = 0;
    meter_.begin(1);
    requests_ = 0;
    history_.clear();
    model_.optimizer().set_iterations(0);
    if (options_.initialize) model_.initialize(options_.seed);
    model_.begin_states();
    if (options_.initialize) model_.reset_states();
  }
  communicator_.broadcast(model_.arena().values());
  broadcast_states(model_, communicator_);
  check_replicas(model_, communicator_, "before the first step");
  distributed_optimizer_->set_up();
}

void Trainer::restore_callbacks() {
  for (const auto& callback : callbacks_) {
    // Of two callbacks of one name the first takes the first state.
    const auto saved = std::ranges::find(restored_->callbacks, callback->name(),
                                         [](const auto& entry) { return entry.first; });
    if (saved == restored_->callbacks.end()) continue;
    try {
      callback->restore(saved->second);
    } catch (const nlohmann::json::exception& error) {
      fail(ExitCode::kBadData, "[training state] expected a state of callback {}, got: {}",
           saved->first, printable(error.what()));
    }
    restored_->callbacks.erase(saved);
  }
}

/// All ranks do what any of their callbacks asked for; of rates, what rank 0's did.
void Trainer::follow_requests() {
  if (will_stop()) stop();
  const std::optional<double> rate = wished_rate();
  wanted_rate_.reset();
  if (rate && rate != set_rate_) set_rate(*rate);
}

/// The rate that a callback has asked for last, on rank 0.
std::optional<double> Trainer::wished_rate() const {
  if (!communicator_.broadcast(wanted_rate_.has_value())) return set_rate_;
  double rate = wanted_rate_.value_or(0);
  communicator_.broadcast(std::span(&rate, 1));
  return rate;
}

void Trainer::set_rate(double rate) {
  model_.optimizer().set_learning_rate(rate);
  set_rate_ = rate;
}

/// What training ends with where the optimizer averages weights. Checkpoints hold the weights
/// before, from which a later fit() goes on.
void Trainer::take_averages() {
  const auto slot = model_.optimizer().average_slot();
  if (!slot || model_.optimizer().iterations() == 0) return;
  const OptimizerSlots slots = distributed_optimizer_->gather_slots();
  if (communicator_.is_root())
    for (const Parameter* parameter : model_.arena().parameters())
      if (model_.objective().aim().trains(*parameter))
        std::copy_n(slots[*slot].begin() + parameter->offset, parameter->value.size(),
                    parameter->value.begin());
  communicator_.broadcast(model_.arena().values());
}

void Trainer::save(const std::filesystem::path& path) {
  save([&](std::span<const std::byte> bytes) { write_atomically(path, bytes); },
       model_format(path));
}

void Trainer::save(const FileWriter& write, ModelFormat format) {
  const FloatingPointEnvironment environment;
  never_alone(communicator_, [&] {
    const TrainingState now = state_on_root();
    // What is not worth keeping must not take the place of what is.
    distributed_optimizer_->check_replicas(fmt::format("before saving step {}", now.iterations));
    fault_point("save", communicator_.rank(), now.iterations);
    on_root(communicator_, [&] {
      write(allocating("the image of a model file", [&] {
        return model_file(model_, &now.slots, to_json_text(now), options_.table_mapping,
                          options_.classes, format);
      }));
    });
  });
}

TrainingState Trainer::state() {
  const FloatingPointEnvironment environment;
  TrainingState state;
  never_alone(communicator_, [&] { state = state_everywhere(); });
  return state;
}

TrainingState Trainer::state_everywhere() {
  TrainingState state = state_on_root();
  state.slots.resize(model_.optimizer().slot_names().size());
  for (auto& slot : state.slots) {
    slot.resize(static_cast<std::size_t>(model_.arena().trainable_size()));
    communicator_.broadcast(std::span(slot));
  }
  return state;
}

/// The slots on rank 0 only, who writes them.
TrainingState Trainer::state_on_root() {
  check_collectively(distributed_optimizer_ != nullptr, ExitCode::kUsage,
                     "[trainer] expected fit() before state() and save()");
  TrainingState state;
  state.epoch = epoch_;
  state.stopped = will_stop();
  state.seed = options_.seed;
  state.learning_rate = amid_epoch() ? set_rate_ : wished_rate();
  if (amid_epoch()) {
    state.next_learning_rate = wished_rate();
    state.amid = meter_.totals();
    communicator_.broadcast(std::span(&state.amid.seconds, 1));
  }
  state.history = history_;
  state.identity = identity_;
  for (const auto& callback : callbacks_)
    if (!callback->name().empty())
      state.callbacks.emplace_back(callback->name(), callback->state());
  state.iterations = model_.optimizer().iterations();
  share_states(model_, communicator_, plans_.front());
  state.states = copy_states(model_);
  const std::size_t slot_bytes = model_.optimizer().slot_names().size() * sizeof(float) *
                                 static_cast<std::size_t>(model_.arena().trainable_size());
  state.slots =
      allocating(fmt::format("the whole optimizer state on rank 0 ({})", mebibytes(slot_bytes)),
                 [&] { return distributed_optimizer_->gather_slots(); });
  return state;
}

void Trainer::restore(TrainingState state) {
  check_training_state(state);
  restored_ = std::move(state);
}

}  // namespace lockstep
