#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_file.hpp"
#include "io/keras/keras_optimizer_state.hpp"
#include "io/keras/keras_trailer.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

const std::string kWeights = "/model_weights";
constexpr int kMaxDepth = 64;  // of JSON: its users recurse

/// Runs `function`, and puts the file's name in front of the message of an Error.
template <class Function>
auto naming(const std::string& file_name, Function&& function) {
  try {
    return function();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("[{}] {}", file_name, error.what()));
  }
}

Sequential read_architecture(const hdf5::File& file) {
  if (!file.has_attribute("/", "model_config")) {
    fail(ExitCode::kBadData,
         "[{}] expected a Keras model (attribute model_config), got an HDF5 file without one; its "
         "datasets: {}",
         file.name(), printable(fmt::format("{}", fmt::join(file.datasets(), ", "))));
  }
  const std::string config = file.read_string("/", "model_config");
  Sequential model = naming(file.name(), [&] { return model_from_json_text(config); });
  check(model.built(), ExitCode::kBadData,
        "[{}] expected a model_config that says the input's shape, got none", file.name());
  return model;
}

/// A layer's weights in the file, by the full paths of their datasets.
struct StoredLayer {
  std::string name;
  std::vector<std::string> weights;
};

std::vector<StoredLayer> read_stored_layers(const hdf5::File& file) {
  std::vector<StoredLayer> layers;
  for (const std::string& name : file.read_strings(kWeights, "layer_names")) {
    const std::string group = kWeights + "/" + name;
    StoredLayer layer{name, file.read_strings(group, "weight_names")};
    for (std::string& weight : layer.weights) weight = group + "/" + weight;
    if (!layer.weights.empty()) layers.push_back(std::move(layer));
  }
  return layers;
}

std::vector<Layer*> layers_with_weights(const Sequential& model) {
  std::vector<Layer*> layers;
  for (const auto& layer : model.layers()) {
    if (!layer->parameters().empty()) layers.push_back(layer.get());
  }
  return layers;
}

/// Compares every count and shape; as Keras does, by position and not by name.
void check_weights(const hdf5::File& file, const std::vector<StoredLayer>& stored,
                   const std::vector<Layer*>& layers) {
  check(stored.size() == layers.size(), ExitCode::kBadData,
        "[{}] expected weights for {} layers, got {}", file.name(), layers.size(), stored.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::vector<Parameter>& parameters = layers[i]->parameters();
    check(stored[i].weights.size() == parameters.size(), ExitCode::kBadData,
          "[{}] expected {} weights for layer {}, got {}", file.name(), parameters.size(),
          printable(layers[i]->name()), stored[i].weights.size());
    for (std::size_t j = 0; j < parameters.size(); ++j) {
      const std::string& path = stored[i].weights[j];
      const Shape extents = file.dataset_info(path).extents;
      check(extents == parameters[j].shape, ExitCode::kBadData,
            "[{}:{}] expected shape {} for {} of layer {}, got {}", file.name(), printable(path),
            to_string(parameters[j].shape), parameters[j].name, printable(layers[i]->name()),
            to_string(extents));
    }
  }
}

void read_weights(const hdf5::File& file, Sequential& model) {
  const std::vector<StoredLayer> stored = read_stored_layers(file);
  const std::vector<Layer*> layers = layers_with_weights(model);
  check_weights(file, stored, layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (std::size_t j = 0; j < layers[i]->parameters().size(); ++j) {
      const Parameter& parameter = layers[i]->parameters()[j];
      std::ranges::copy(file.read_floats(stored[i].weights[j], parameter.shape),
                        parameter.value.begin());
    }
  }
}

void read_training_config(const hdf5::File& file, Sequential& model) {
  if (!file.has_attribute("/", "training_config")) return;
  const std::string text = file.read_string("/", "training_config");
  const auto check_depth = [&](int depth, nlohmann::ordered_json::parse_event_t,
                               nlohmann::ordered_json&) {
    check(depth <= kMaxDepth, ExitCode::kBadData,
          "[{}] expected at most {} levels of nesting in the attribute training_config, got more",
          file.name(), kMaxDepth);
    return true;
  };
  const auto config = nlohmann::ordered_json::parse(text, check_depth, false);
  check(!config.is_discarded(), ExitCode::kBadData,
        "[{}] expected JSON in the attribute training_config, got text that is not", file.name());
  if (!config.is_null()) naming(file.name(), [&] { compile_from_json(model, config); });
}

/// HDF5 keeps its own copy of the bytes.
hdf5::File open_verified(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const CheckedImage checked =
      check_trailer(std::as_bytes(std::span(bytes.data(), bytes.size())), path.string());
  hdf5::File file = hdf5::File::open_image(checked.image, path.string());
  check(checked.has_trailer || !file.exists("/lockstep"), ExitCode::kBadData,
        "[{}] damaged: expected Lockstep's trailer at the end of the file, got none",
        path.string());
  return file;
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path) {
  const hdf5::File file = open_verified(path);
  LoadedModel loaded{read_architecture(file), std::nullopt, 0, "", ""};
  read_weights(file, loaded.model);
  read_training_config(file, loaded.model);
  if (loaded.model.compiled()) {
    if (auto state = read_optimizer_state(file, loaded.model)) {
      loaded.slots = std::move(state->slots);
      loaded.iterations = state->iterations;
      loaded.model.optimizer().set_iterations(state->iterations);
    }
  }
  const auto read_state = [&](const char* name) {
    const bool there = file.exists("/lockstep") && file.has_attribute("/lockstep", name);
    return there ? file.read_string("/lockstep", name) : std::string();
  };
  loaded.training_state = read_state("training_state");
  loaded.table_mapping = read_state("table_mapping");
  return loaded;
}

void copy_weights(const Sequential& from, Sequential& to) {
  const std::vector<Layer*> sources = layers_with_weights(from);
  const std::vector<Layer*> targets = layers_with_weights(to);
  check(sources.size() == targets.size(), ExitCode::kBadData,
        "[{}] expected {} layers with weights to copy, got {}", to.name(), targets.size(),
        sources.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const std::vector<Parameter>& source = sources[i]->parameters();
    const std::vector<Parameter>& target = targets[i]->parameters();
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
