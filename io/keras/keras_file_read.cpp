#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/files/file_kind.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_archive.hpp"
#include "io/keras/keras_file.hpp"
#include "io/keras/keras_network.hpp"
#include "io/keras/keras_optimizer_state.hpp"
#include "io/keras/keras_trailer.hpp"
#include "io/keras/keras_weights.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/json_text.hpp"
#include "src/core/printable.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

/// Runs `function`, and puts the file's name in front of the message of an Error.
template <class Function>
auto naming(const std::string& file_name, Function&& function) {
  try {
    return function();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("[{}] {}", file_name, error.what()));
  }
}

/// For rows of this shape, if the network does not say its input.
Network built(Network model, const std::optional<Shape>& row_shape, const std::string& file_name) {
  if (model.built()) return model;
  const auto* const input = dynamic_cast<const InputLayer*>(model.layers().front().get());
  check(row_shape.has_value(), ExitCode::kBadData,
        "[{}] expected a network that says the input's shape, got {}: rows tell it (predict, "
        "evaluate, train)",
        file_name, input ? to_string_batched(input->shape()) : "none");
  naming(file_name, [&] { model.build(row_shape->empty() ? Shape{1} : *row_shape); });
  return model;
}

Network read_architecture(const hdf5::File& file, const std::optional<Shape>& row_shape,
                          NetworkRemarks& remarks) {
  if (!file.has_attribute("/", "model_config")) {
    check(!has_keras_weights(file), ExitCode::kBadData,
          "[{}] expected a Keras model (attribute model_config), got the weights of one without "
          "the model: give it as --weights, and the network as --model MODEL.json or --layers TEXT",
          file.name());
    fail(ExitCode::kBadData,
         "[{}] expected a Keras model (attribute model_config), got an HDF5 file without one; its "
         "datasets: {}",
         file.name(), printable(fmt::format("{}", fmt::join(file.datasets(), ", "))));
  }
  const std::string config = file.read_string("/", "model_config");
  const std::string version =
      file.has_attribute("/", "keras_version") ? file.read_string("/", "keras_version") : "";
  return built(naming(file.name(), [&] { return model_from_json_text(config, version, remarks); }),
               row_shape, file.name());
}

void read_state(std::optional<OptimizerState> state, LoadedModel& loaded) {
  if (!state) return;
  loaded.slots = std::move(state->slots);
  loaded.iterations = state->iterations;
  loaded.model.optimizer().set_iterations(state->iterations);
}

void compile_loaded(const std::string& file_name, const std::string& training_config,
                    const CompileLoaded& compile, LoadedModel& loaded) {
  loaded.has_training_config = !training_config.empty();
  naming(file_name, [&] { compile(loaded.model, training_config); });
}

/// HDF5 keeps its own copy of the bytes.
hdf5::File open_verified(std::span<const std::byte> bytes, const std::string& name) {
  const CheckedImage checked = check_trailer(bytes, name);
  hdf5::File file = hdf5::File::open_image(checked.image, name);
  check(checked.has_trailer || !file.exists("/lockstep"), ExitCode::kBadData,
        "[{}] damaged: expected Lockstep's trailer at the end of the file, got none", name);
  return file;
}

/// Names in ascending order, each once, or else nothing could be found among them.
std::vector<std::string> classes_of(const std::string& text, const std::string& name) {
  std::vector<std::string> classes;
  if (text.empty()) return classes;
  const nlohmann::ordered_json json =
      naming(name, [&] { return parse_json(text, "the attribute classes"); });
  const auto is_name = [](const nlohmann::ordered_json& item) { return item.is_string(); };
  bool good = json.is_array() && std::ranges::all_of(json, is_name);
  if (good) classes = json.get<std::vector<std::string>>();
  good = good && std::ranges::adjacent_find(classes, std::greater_equal()) == classes.end();
  check(good, ExitCode::kBadData,
        "[{}] expected a list of names in ascending order as /lockstep's attribute classes", name);
  return classes;
}

/// The group /lockstep.
void read_own(const hdf5::File& file, LoadedModel& loaded) {
  const auto text_of = [&](const char* attribute) {
    const bool there = file.exists("/lockstep") && file.has_attribute("/lockstep", attribute);
    return there ? file.read_string("/lockstep", attribute) : std::string();
  };
  loaded.training_state = text_of("training_state");
  const auto& states = loaded.model.graph().states();
  for (std::size_t i = 0; i < states.size() && file.exists(kStates); ++i)
    loaded.states.push_back(file.read_floats(fmt::format("{}/{}", kStates, i),
                                             {loaded.model.batch_size(), states[i]->columns()}));
  loaded.table_mapping = text_of("table_mapping");
  loaded.classes = classes_of(text_of("classes"), file.name());
}

LoadedModel load_hdf5(std::span<const std::byte> bytes, const std::string& name,
                      const CompileLoaded& compile, const std::optional<Shape>& row_shape) {
  const hdf5::File file = open_verified(bytes, name);
  NetworkRemarks remarks;
  Network model = read_architecture(file, row_shape, remarks);
  LoadedModel loaded{std::move(model), std::nullopt, 0, "", std::move(remarks)};
  read_weights(file, loaded.remarks, loaded.model);
  const bool compiled = file.has_attribute("/", "training_config");
  compile_loaded(file.name(), compiled ? file.read_string("/", "training_config") : "", compile,
                 loaded);
  loaded.has_optimizer_state = file.exists("/optimizer_weights");
  if (loaded.model.compiled())
    read_state(read_optimizer_state(file, loaded.model, loaded.remarks), loaded);
  read_own(file, loaded);
  return loaded;
}

LoadedModel load_archive(std::span<const std::byte> bytes, const std::string& name,
                         const CompileLoaded& compile, const std::optional<Shape>& row_shape) {
  const KerasArchive archive = read_keras_archive(bytes, name);
  NetworkRemarks remarks;
  const nlohmann::ordered_json config =
      naming(name, [&] { return parse_json(archive.config, "config.json"); });
  Network model =
      built(naming(name, [&] { return model_from_json(config, archive.keras_version, remarks); }),
            row_shape, name);
  LoadedModel loaded{std::move(model), std::nullopt, 0, "", std::move(remarks)};
  const hdf5::File weights = hdf5::File::open_image(archive.weights, name + ":model.weights.h5");
  read_weights(weights, loaded.remarks, loaded.model);
  const auto compiled = config.find("compile_config");
  const bool has_config = compiled != config.end() && compiled->is_object() && !compiled->empty();
  compile_loaded(name, has_config ? compiled->dump() : "", compile, loaded);
  loaded.has_optimizer_state = weights.exists("/optimizer/vars/0");
  if (loaded.model.compiled())
    read_state(read_keras3_optimizer_state(weights, loaded.model, loaded.remarks), loaded);
  read_own(weights, loaded);
  return loaded;
}

/// Of a file that is another thing altogether, what it is and how it becomes usable. What is
/// damaged, missing or unknown is left to who reads it.
FileKind expect_kind(const std::filesystem::path& path, const std::string& expected) {
  const FileKind kind = file_kind(path);
  using enum FileKind;
  for (const FileKind readable :
       {kHdf5, kTruncatedHdf5, kKerasArchive, kUnknown, kMissing, kDirectory, kZip})
    if (kind == readable) return kind == kZip ? kKerasArchive : kind;
  const std::string cure = how_to_use(kind, path, FileUse::kModel);
  fail(ExitCode::kBadData, "[{}] expected {}, got {}{}{}", path.string(), expected,
       what_kind_is(kind), cure.empty() ? "" : "; ", cure);
}

void compile_as_saved(Network& model, const std::string& training_config) {
  if (training_config.empty()) return;
  const nlohmann::ordered_json json = parse_json(training_config, "the attribute training_config");
  if (!json.is_null()) compile_from_json(model, json);
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, const CompileLoaded& compile,
                       const std::optional<Shape>& row_shape) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  const FileKind kind = expect_kind(path, "a Keras model (.h5, .keras)");
  const std::string text = read_file(path);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text.data(), text.size()));
  return kind == FileKind::kKerasArchive ? load_archive(bytes, path.string(), compile, row_shape)
                                         : load_hdf5(bytes, path.string(), compile, row_shape);
}

LoadedModel load_model(const std::filesystem::path& path) {
  LoadedModel loaded = load_model(path, compile_as_saved);
  naming(path.string(), [&] { loaded.remarks.training.throw_if_any(ExitCode::kBadData); });
  return loaded;
}

namespace {

hdf5::File open_weights(const std::filesystem::path& path) {
  const FileKind kind = expect_kind(path, "weights of Keras (.h5, .weights.h5, .keras)");
  const std::string text = read_file(path);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text.data(), text.size()));
  if (kind == FileKind::kKerasArchive)
    return hdf5::File::open_image(read_keras_archive(bytes, path.string()).weights,
                                  path.string() + ":model.weights.h5");
  hdf5::File file = open_verified(bytes, path.string());
  check(has_keras_weights(file), ExitCode::kBadData,
        "[{}] expected weights as Keras's save_weights() writes them, got an HDF5 file without; "
        "its datasets: {}",
        path.string(), printable(fmt::format("{}", fmt::join(file.datasets(), ", "))));
  return file;
}

}  // namespace

void load_weights(const std::filesystem::path& path, const NetworkRemarks& remarks,
                  Network& model) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  read_weights(open_weights(path), remarks, model);
}

MatchedLayers load_matching_weights(const std::filesystem::path& path,
                                    const NetworkRemarks& remarks, Network& model) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return read_matching_weights(open_weights(path), remarks, model);
}

void copy_weights(const Network& from, Network& to) {
  const std::vector<Layer*> sources = layers_with_weights(from);
  const std::vector<Layer*> targets = layers_with_weights(to);
  check(sources.size() == targets.size(), ExitCode::kBadData,
        "[{}] expected {} layers with weights to copy, got {}", to.name(), targets.size(),
        sources.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const ParameterList source = sources[i]->parameters();
    const ParameterList target = targets[i]->parameters();
    check(source.size() == target.size(), ExitCode::kBadData,
          "[{}] expected {} weights to copy, got {}", targets[i]->name(), target.size(),
          source.size());
    for (std::size_t j = 0; j < target.size(); ++j) {
      check(source[j].shape == target[j].shape, ExitCode::kBadData,
            "[{}] expected {} of shape {} to copy, got {}", targets[i]->name(), target[j].name,
            to_string(target[j].shape), to_string(source[j].shape));
    }
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    for (std::size_t j = 0; j < targets[i]->parameters().size(); ++j) {
      std::ranges::copy(sources[i]->parameters()[j].value,
                        targets[i]->parameters()[j].value.begin());
    }
  }
}

}  // namespace lockstep
