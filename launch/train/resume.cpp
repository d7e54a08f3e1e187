#include "launch/train/resume.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/loss_sums.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

/// Another run's checkpoint: no reason to look for an older one.
class OtherRun : public Error {
  using Error::Error;
};

void refuse(const std::string& name, const ExpectedRun& expected, const std::string& differences) {
  const ExitCode code = expected.resume_required ? ExitCode::kUsage : ExitCode::kCannotCreate;
  throw OtherRun(code, fmt::format("[{}] is a checkpoint of another run: {}; take those values, or "
                                   "choose another --run-dir, or --overwrite",
                                   name, differences));
}

/// "x" becomes "x (d.h5:/x_train)".
Facts with_places(Facts facts, const Facts& places) {
  for (Fact& fact : facts)
    if (const auto place = find_fact(places, fact.first))
      fact.first += fmt::format(" ({})", *place);
  return facts;
}

void refuse_other_inputs(const std::string& name, const Facts& there, const ExpectedRun& expected) {
  const auto changed = differences(with_places(there, expected.places),
                                   with_places(expected.identity.inputs, expected.places));
  if (changed.empty()) return;
  throw OtherRun(
      ExitCode::kBadData,
      fmt::format(
          "[{}] was trained on other inputs than are there now: {}; put the old files back, "
          "or choose another --run-dir, or --overwrite",
          name, fmt::join(changed, "; ")));
}

/// A file of the first format does not say what it is of, but shows some of it.
Facts visible_facts(const Network& model, std::uint64_t seed) {
  Facts facts = {{"seed", fmt::format("{}", seed)},
                 {"network", model_to_json(model).dump()},
                 {"optimizer", "none"}};
  if (model.compiled()) facts.back().second = training_config_to_json(model).dump();
  return facts;
}

void refuse_other_run(const std::string& name, const ExpectedRun& expected,
                      const TrainingState& state, const LoadedModel& loaded, const Network& model) {
  std::vector<std::string> changed;
  if (state.identity.known()) {
    changed = differences(state.identity.options, expected.identity.options);
    if (changed.empty()) changed = differences(state.identity.trainer, expected.identity.trainer);
    if (changed.empty() && state.seed != expected.seed)
      changed.push_back(fmt::format("seed {} there, {} here", state.seed, expected.seed));
  } else {
    changed =
        differences(visible_facts(loaded.model, state.seed), visible_facts(model, expected.seed));
  }
  if (!changed.empty()) refuse(name, expected, fmt::format("{}", fmt::join(changed, "; ")));
  refuse_other_inputs(name, state.identity.inputs, expected);
}

/// That name, history, epoch and step tell the same story: a file may have been renamed.
void check_story(const std::string& name, const CheckpointFile& file, const TrainingState& state,
                 const ExpectedRun& expected) {
  check(state.iterations == file.step, ExitCode::kBadData,
        "[{}] expected step {} as the file's name says, got step {} inside (was it renamed?)", name,
        file.step, state.iterations);
  // Neither factor exceeds 1e9.
  const std::int64_t step =
      expected.first_step + state.epoch * expected.steps_per_epoch + state.amid.steps;
  const std::int64_t more = state.amid.steps;
  check(state.iterations == step && more <= expected.steps_per_epoch, ExitCode::kBadData,
        "[{}] expected step {} after {} epochs of {} steps{}, got step {}", name, step, state.epoch,
        expected.steps_per_epoch, more > 0 ? fmt::format(" and {} more", more) : "",
        state.iterations);
  const auto epochs = static_cast<std::int64_t>(state.history.size());
  check(epochs == state.epoch && (epochs == 0 || state.history.front().epoch == 1),
        ExitCode::kBadData, "[{}] expected a history of the epochs 1 to {}, got {} epochs", name,
        state.epoch, epochs);
}

void check_finite(const std::string& name, const LoadedModel& loaded, const OptimizerSlots& slots) {
  const auto finite = [](std::span<const float> values) {
    return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
  };
  for (const auto& layer : loaded.model.layers())
    for (const Parameter& parameter : layer->parameters())
      check(finite(parameter.value), ExitCode::kBadData,
            "[{}] expected finite weights, got NaN or Inf in {}/{}", name, printable(layer->name()),
            parameter.path());
  for (const auto& slot : slots)
    check(finite(slot), ExitCode::kBadData,
          "[{}] expected a finite optimizer state, got NaN or Inf", name);
}

/// Of a state that stateful layers carry.
std::size_t floats_of(const Network& model, std::size_t state) {
  return static_cast<std::size_t>(model.batch_size() * model.graph().states()[state]->columns());
}

TrainingState load_checkpoint(const CheckpointFile& file, const ExpectedRun& expected,
                              Network& model) {
  LoadedModel loaded = load_model(file.path);
  const std::string name = printable(file.path.string());
  check(!loaded.training_state.empty(), ExitCode::kBadData,
        "[{}] expected a checkpoint, got a model without a training state", name);
  TrainingState state = training_state_from_json(loaded.training_state);
  state.iterations = loaded.iterations;
  if (state.identity.known()) refuse_other_run(name, expected, state, loaded, model);
  const std::size_t slots = model.optimizer().slot_names().size();
  check(loaded.slots.has_value() && loaded.slots->size() == slots, ExitCode::kBadData,
        "[{}] expected the state of optimizer {} ({} slots), got {}", name,
        model.optimizer().class_name(), slots, loaded.slots ? loaded.slots->size() : 0);
  const std::size_t sums = state.amid.steps > 0 ? loss_sum_count(model.objective()) : 0;
  check(state.amid.sums.size() == sums, ExitCode::kBadData,
        "[{}] expected {} sums of loss and metrics, got {}", name, sums, state.amid.sums.size());
  check_finite(name, loaded, *loaded.slots);
  if (!state.identity.known()) {
    refuse_other_run(name, expected, state, loaded, model);
    print_error(fmt::format(
        "warning: [{}] was written by an older version, which did not note the options and the "
        "data of the run: only seed, network, optimizer and steps could be compared",
        name));
  }
  check_story(name, file, state, expected);
  copy_weights(loaded.model, model);
  state.slots = std::move(*loaded.slots);
  state.states = std::move(loaded.states);
  const bool fit = state.states.size() == model.graph().states().size();
  for (std::size_t i = 0; i < model.graph().states().size(); ++i)
    check(fit && state.states[i].size() == floats_of(model, i), ExitCode::kBadData,
          "[{}] expected {} states of stateful layers for batches of {} rows, got others", name,
          model.graph().states().size(), model.batch_size());
  return state;
}

ResumePoint load_first_valid(const RunDirectory& directory, const ExpectedRun& expected,
                             Network& model) {
  std::string first_failure;
  for (const CheckpointFile& file : directory.checkpoint_files()) {
    try {
      return {file.path.filename().string(), load_checkpoint(file, expected, model)};
    } catch (const OtherRun&) {
      throw;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) throw;
      print_error(fmt::format("{} cannot be used, trying an older checkpoint: {}",
                              file.path.filename().string(), error.what()));
      if (first_failure.empty()) first_failure = error.what();
    }
  }
  fail(ExitCode::kBadData,
       "[{}] expected a checkpoint that can be used, got none; the newest one: {}; choose another "
       "--run-dir, or --overwrite",
       printable(directory.path().string()), first_failure);
}

/// Everything but the weights, from rank 0 to all.
void broadcast(const Communicator& world, const Network& model, TrainingState& state) {
  std::int64_t numbers[] = {
      state.iterations, static_cast<std::int64_t>(state.slots.size()),
      state.slots.empty() ? 0 : static_cast<std::int64_t>(state.slots.front().size())};
  world.broadcast(std::span<std::int64_t>(numbers));
  const std::string text = world.broadcast(world.is_root() ? to_json_text(state) : std::string());
  OptimizerSlots slots = std::move(state.slots);
  slots.resize(static_cast<std::size_t>(numbers[1]));
  for (auto& slot : slots) {
    slot.resize(static_cast<std::size_t>(numbers[2]));
    world.broadcast(std::span<float>(slot));
  }
  CarriedStates states = std::move(state.states);
  states.resize(model.graph().states().size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    states[i].resize(floats_of(model, i));
    world.broadcast(std::span<float>(states[i]));
  }
  if (!world.is_root()) state = training_state_from_json(text);
  state.iterations = numbers[0];
  state.slots = std::move(slots);
  state.states = std::move(states);
}

}  // namespace

ResumePoint load_newest_checkpoint(const Communicator& world, const RunDirectory& directory,
                                   const ExpectedRun& expected, Network& model) {
  ResumePoint point;
  on_root(world, [&] { point = load_first_valid(directory, expected, model); });
  broadcast(world, model, point.state);
  point.file = world.broadcast(point.file);
  return point;
}

}  // namespace lockstep
