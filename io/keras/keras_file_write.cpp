#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras3_weights.hpp"
#include "io/keras/keras_archive.hpp"
#include "io/keras/keras_file.hpp"
#include "io/keras/keras_network.hpp"
#include "io/keras/keras_optimizer_state.hpp"
#include "io/keras/keras_slot_order.hpp"
#include "io/keras/keras_trailer.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/model/model_json.hpp"

// The tree, names and attribute types that Keras 2 writes.
namespace lockstep {
namespace {

constexpr const char* kBackend = "tensorflow";
constexpr const char* kKeras3Version = "3.15.0";  // whose archives ours are like

void write_origin(hdf5::Writer& writer, const std::string& group, const Network& model) {
  writer.write_string(group, "keras_version", keras_version(model));
  writer.write_string(group, "backend", kBackend);
}

std::string weight_name(const Layer& layer, const Parameter& parameter) {
  return fmt::format("{}/{}:0", layer.name(), parameter.path());
}

void write_weights(hdf5::Writer& writer, const Network& model) {
  const std::string root = "/model_weights";
  writer.create_group(root);
  std::vector<std::string> layer_names;
  for (const auto& layer : model.layers()) {
    if (layer->class_name() == "InputLayer") continue;
    layer_names.push_back(layer->name());
    const std::string group = root + "/" + layer->name();
    writer.create_group(group);
    std::vector<std::string> weight_names;
    // Keras's order: what is trained comes first.
    for (const bool trained : {true, false})
      for (const Parameter& parameter : layer->parameters()) {
        if (parameter.trained() != trained) continue;
        weight_names.push_back(weight_name(*layer, parameter));
        writer.write_floats(group + "/" + weight_names.back(), parameter.shape, parameter.value);
      }
    writer.write_strings(group, "weight_names", weight_names);
  }
  const std::string top_level = root + "/top_level_model_weights";
  writer.create_group(top_level);
  writer.write_strings(top_level, "weight_names", {});
  writer.write_strings(root, "layer_names", layer_names);
  write_origin(writer, root, model);
}

/// In the order of Keras 2's legacy optimizers, or of Keras 3's where they have no place for it.
void write_optimizer(hdf5::Writer& writer, const Network& model, const OptimizerSlots& slots) {
  const std::string root = "/optimizer_weights";
  const Optimizer& optimizer = model.optimizer();
  check_slots(model, slots);
  writer.create_group(root);
  std::vector<std::string> names;
  const auto next = [&](const std::string& name) {
    names.push_back(fmt::format("{}/{}:0", optimizer.class_name(), name));
    return root + "/" + names.back();
  };
  const auto write_scalar = [&](const std::string& name, double value) {
    const auto rounded = static_cast<float>(value);
    writer.write_floats(next(name), {}, std::span(&rounded, 1));
  };
  struct Trained {
    const Parameter* parameter;
    std::string path;
  };
  std::vector<Trained> trained;
  for (const auto& layer : model.layers())
    for (const Parameter& parameter : layer->parameters())
      if (parameter.trained())
        trained.push_back({&parameter, layer->name() + "/" + parameter.path()});

  const bool keras2 = is_known_to_keras2(optimizer);
  writer.write_integer(next(keras2 ? "iter" : "iteration"), optimizer.iterations());
  if (const auto rate = optimizer.schedule().to_json(); !keras2 && rate.is_number())
    write_scalar("learning_rate", rate.get<double>());
  const std::vector<std::string> slot_names = optimizer.slot_names();
  for (const auto [slot, weight] : keras2 ? keras2_slot_order(optimizer, trained.size())
                                          : keras3_slot_order(optimizer, trained.size())) {
    const auto& [parameter, path] = trained[weight];
    writer.write_floats(next(path + "/" + slot_names[slot]), parameter->shape,
                        values_in_slot(slots[slot], *parameter));
  }
  if (const auto kept = optimizer.kept_scalar()) write_scalar("u_product", *kept);
  writer.write_strings(root, "weight_names", names);
}

}  // namespace

void write_network(hdf5::Writer& writer, const Network& model) {
  check(model.built(), ExitCode::kUsage,
        "[{}] expected a built model to save, got one without an input shape", model.name());
  write_origin(writer, "/", model);
  writer.write_string("/", "model_config", model_to_json(model).dump());
  if (model.compiled()) {
    writer.write_string("/", "training_config", training_config_to_json(model).dump());
  }
  write_weights(writer, model);
}

namespace {

void write_states(hdf5::Writer& writer, const Network& model) {
  const auto& states = model.graph().states();
  for (std::size_t i = 0; i < states.size(); ++i)
    if (const Matrix state = states[i]->before(); state.rows > 0)
      writer.write_floats(fmt::format("{}/{}", kStates, i), {state.rows, state.columns},
                          state.flat());
}

/// What Keras does not know: `training_state`, `table_mapping`, `classes`.
void write_own(hdf5::Writer& writer, const Network& model, const std::string& training_state,
               const std::string& table_mapping, const std::vector<std::string>& classes) {
  if (!training_state.empty() || !table_mapping.empty() || !classes.empty())
    writer.create_group("/lockstep");
  if (!training_state.empty()) {
    writer.write_string("/lockstep", "training_state", training_state);
    write_states(writer, model);
  }
  if (!table_mapping.empty()) writer.write_string("/lockstep", "table_mapping", table_mapping);
  if (!classes.empty())
    writer.write_string("/lockstep", "classes", nlohmann::ordered_json(classes).dump());
}

void check_saves_slots(const Network& model, const OptimizerSlots* slots) {
  check(slots == nullptr || model.compiled(), ExitCode::kUsage,
        "[{}] expected a compiled model to save with its optimizer's state", model.name());
}

}  // namespace

std::vector<std::byte> keras_image(const Network& model, const OptimizerSlots* slots,
                                   const std::string& training_state,
                                   const std::string& table_mapping,
                                   const std::vector<std::string>& classes) {
  check_saves_slots(model, slots);
  hdf5::Writer writer = hdf5::Writer::in_memory();
  write_network(writer, model);
  if (slots != nullptr) write_optimizer(writer, model, *slots);
  write_own(writer, model, training_state, table_mapping, classes);
  return writer.take_image();
}

std::vector<std::byte> keras_archive(const Network& model, const OptimizerSlots* slots,
                                     const std::string& training_state,
                                     const std::string& table_mapping,
                                     const std::vector<std::string>& classes) {
  check_saves_slots(model, slots);
  check(model.built(), ExitCode::kUsage,
        "[{}] expected a built model to save, got one without an input shape", model.name());
  KerasArchive archive;
  archive.config = keras3_model_config(model).dump();
  archive.keras_version = kKeras3Version;
  hdf5::Writer writer = hdf5::Writer::in_memory();
  write_keras3_weights(writer, model, slots);
  write_own(writer, model, training_state, table_mapping, classes);
  archive.weights = writer.take_image();
  return write_keras_archive(archive);
}

ModelFormat model_format(const std::filesystem::path& path) {
  return path.extension() == ".keras" ? ModelFormat::kKeras : ModelFormat::kHdf5;
}

std::vector<std::byte> model_file(const Network& model, const OptimizerSlots* slots,
                                  const std::string& training_state,
                                  const std::string& table_mapping,
                                  const std::vector<std::string>& classes, ModelFormat format) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  if (format == ModelFormat::kKeras)
    return keras_archive(model, slots, training_state, table_mapping, classes);
  std::vector<std::byte> bytes = keras_image(model, slots, training_state, table_mapping, classes);
  append_trailer(bytes);
  return bytes;
}

void save_model(const std::filesystem::path& path, const Network& model,
                const OptimizerSlots* slots, const std::string& training_state,
                const std::string& table_mapping, const std::vector<std::string>& classes) {
  write_atomically(
      path, model_file(model, slots, training_state, table_mapping, classes, model_format(path)));
}

}  // namespace lockstep
