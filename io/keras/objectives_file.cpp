#include "io/keras/objectives_file.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/keras/keras_network.hpp"
#include "io/keras/keras_trailer.hpp"
#include "io/keras/keras_weights.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

const std::string kObjectives = "/lockstep/objectives";

/// The weights that an objective trains, and their paths within a slot's group.
struct Trained {
  const Parameter* parameter;
  std::string path;
};

std::vector<Trained> trained_by(const Network& model, const Objective& objective) {
  std::vector<Trained> trained;
  for (const auto& layer : model.layers())
    for (const Parameter& parameter : layer->parameters())
      if (objective.aim().trains(parameter))
        trained.push_back({&parameter, layer->name() + "/" + parameter.path()});
  return trained;
}

void write_objective(hdf5::Writer& writer, const Network& model, const NamedObjective& named,
                     const OptimizerState& state) {
  const std::string root = kObjectives + "/" + named.name;
  const std::vector<std::string> slots = named.objective->optimizer().slot_names();
  check(state.slots.size() == slots.size(), ExitCode::kBadData,
        "[{}] expected {} optimizer slots, got {}", named.name, slots.size(), state.slots.size());
  writer.create_group(root);
  writer.write_string(root, "settings", objective_settings(model, *named.objective));
  writer.write_integer(root + "/iterations", state.iterations);
  for (std::size_t i = 0; i < slots.size(); ++i)
    for (const auto& [parameter, path] : trained_by(model, *named.objective))
      writer.write_floats(
          fmt::format("{}/{}/{}", root, slots[i], path), parameter->shape,
          std::span<const float>(state.slots[i])
              .subspan(static_cast<std::size_t>(parameter->offset), parameter->value.size()));
}

OptimizerState read_objective(const hdf5::File& file, const Network& model,
                              const NamedObjective& named) {
  const std::string root = kObjectives + "/" + named.name;
  const std::string settings = objective_settings(model, *named.objective);
  const std::string found = file.read_string(root, "settings");
  check(found == settings, ExitCode::kBadData,
        "[{}] expected a checkpoint whose objective {} is {}, got {}", file.name(), named.name,
        printable(settings), printable(found));
  OptimizerState state;
  state.iterations = file.read_integer(root + "/iterations");
  check(state.iterations >= 0, ExitCode::kBadData,
        "[{}:{}/iterations] expected a number of steps, got {}", file.name(), root,
        state.iterations);
  const Optimizer& optimizer = named.objective->optimizer();
  for (const std::string& slot : optimizer.slot_names()) {
    auto& values = add_fresh_slot(state.slots, model.arena(), optimizer);
    for (const auto& [parameter, path] : trained_by(model, *named.objective))
      std::ranges::copy(
          file.read_floats(fmt::format("{}/{}/{}", root, slot, path), parameter->shape),
          values.begin() + parameter->offset);
  }
  return state;
}

}  // namespace

std::string objective_settings(const Network& model, const Objective& objective) {
  nlohmann::ordered_json json = {{"optimizer", objective.optimizer().to_json()},
                                 {"loss", objective.loss().to_json()},
                                 {"trains", nlohmann::ordered_json::array()}};
  for (const Trained& trained : trained_by(model, objective))
    json["trains"].push_back(trained.path);
  return json.dump();
}

std::vector<std::byte> objectives_file(const Network& model,
                                       std::span<const NamedObjective> objectives,
                                       std::span<const OptimizerState> states,
                                       const std::string& training_state) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  hdf5::Writer writer = hdf5::Writer::in_memory();
  write_network(writer, model);
  writer.create_group(kObjectives);
  writer.write_string("/lockstep", "training_state", training_state);
  for (std::size_t i = 0; i < objectives.size(); ++i)
    write_objective(writer, model, objectives[i], states[i]);
  std::vector<std::byte> bytes = writer.take_image();
  append_trailer(bytes);
  return bytes;
}

LoadedObjectives load_objectives(const std::filesystem::path& path, Network& model,
                                 std::span<const NamedObjective> objectives) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  const std::string text = read_file(path);
  const CheckedImage checked =
      check_trailer(std::as_bytes(std::span(text)), printable(path.string()));
  check(checked.has_trailer, ExitCode::kBadData,
        "[{}] expected a checkpoint of Lockstep, got a file without its trailer",
        printable(path.string()));
  const hdf5::File file = hdf5::File::open_image(checked.image, printable(path.string()));
  check(file.exists(kObjectives), ExitCode::kBadData,
        "[{}] expected a checkpoint of a network with several objectives, got a file without {}",
        file.name(), kObjectives);
  std::vector<std::string> names;
  for (const NamedObjective& named : objectives) names.push_back(named.name);
  std::ranges::sort(names);
  const std::vector<std::string> found = file.children(kObjectives);
  check(found == names, ExitCode::kBadData, "[{}] expected the objectives {}, got {}", file.name(),
        fmt::join(names, ", "), printable(fmt::format("{}", fmt::join(found, ", "))));
  check(file.read_string("/", "model_config") == model_to_json(model).dump(), ExitCode::kBadData,
        "[{}] expected a checkpoint of this network, got one of another (other layers or settings)",
        file.name());

  LoadedObjectives loaded;
  for (const NamedObjective& named : objectives)
    loaded.states.push_back(read_objective(file, model, named));
  loaded.training_state = file.read_string("/lockstep", "training_state");
  read_weights(file, {}, model);
  return loaded;
}

}  // namespace lockstep
