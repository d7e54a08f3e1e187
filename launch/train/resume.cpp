#include "launch/train/resume.hpp"

#include "distributed/ranks/agreement.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

TrainingState load_checkpoint(const std::filesystem::path& path, Sequential& model) {
  LoadedModel loaded = load_model(path);
  const std::string name = printable(path.string());
  check(!loaded.training_state.empty(), ExitCode::kBadData,
        "[{}] expected a checkpoint, got a model without a training state", name);
  TrainingState state = training_state_from_json(loaded.training_state);
  const std::size_t slots = model.optimizer().slot_names().size();
  check(loaded.slots.has_value() && loaded.slots->size() == slots, ExitCode::kBadData,
        "[{}] expected the state of optimizer {} ({} slots), got {}", name,
        model.optimizer().class_name(), slots, loaded.slots ? loaded.slots->size() : 0);
  copy_weights(loaded.model, model);
  state.slots = std::move(*loaded.slots);
  state.iterations = loaded.iterations;
  return state;
}

ResumePoint load_first_valid(const RunDirectory& directory, Sequential& model) {
  std::string first_failure;
  for (const CheckpointFile& file : directory.checkpoint_files()) {
    try {
      return {file.path.filename().string(), load_checkpoint(file.path, model)};
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) throw;
      print_error(fmt::format("{} cannot be used, trying an older checkpoint: {}",
                              file.path.filename().string(), error.what()));
      if (first_failure.empty()) first_failure = error.what();
    }
  }
  fail(ExitCode::kBadData,
       "[{}] expected a checkpoint that can be read, got none; the newest one: {}",
       printable(directory.path().string()), first_failure);
}

/// Everything but the weights, from rank 0 to all.
void broadcast(const Communicator& world, TrainingState& state) {
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
  if (!world.is_root()) state = training_state_from_json(text);
  state.iterations = numbers[0];
  state.slots = std::move(slots);
}

}  // namespace

ResumePoint load_newest_checkpoint(const Communicator& world, const RunDirectory& directory,
                                   Sequential& model) {
  ResumePoint point;
  on_root(world, [&] { point = load_first_valid(directory, model); });
  broadcast(world, point.state);
  point.file = world.broadcast(point.file);
  return point;
}

}  // namespace lockstep
