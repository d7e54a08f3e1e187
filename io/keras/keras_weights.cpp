#include "io/keras/keras_weights.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "io/keras/keras3_weights.hpp"
#include "io/keras/older_weights.hpp"
#include "src/core/keras_names.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"
#include "src/model/keras_order.hpp"

namespace lockstep {
namespace {

/// A weight of the model, and where the file has it.
struct Place : OwnedParameter {
  StoredWeight stored;
};

// --- Keras 1 and 2: lists of names ---

const std::string kWholeModel = "/model_weights";

bool has_names(const hdf5::File& file, const std::string& group) {
  return file.has_attribute(group, "layer_names") || file.has_attribute(group, "layer_names0");
}

std::string root_of(const hdf5::File& file) {
  return file.exists(kWholeModel) ? kWholeModel : "/";
}

/// A layer's weights in the file, by the full paths of their datasets.
using StoredLayer = std::vector<std::string>;

std::vector<StoredLayer> read_stored_layers(const hdf5::File& file) {
  const std::string root = root_of(file);
  const std::string prefix = root == "/" ? "/" : root + "/";
  std::vector<StoredLayer> layers;
  for (const std::string& name : file.read_strings(root, "layer_names")) {
    StoredLayer layer = file.read_strings(prefix + name, "weight_names");
    for (std::string& weight : layer) weight = prefix + name + "/" + weight;
    if (!layer.empty()) layers.push_back(std::move(layer));
  }
  return layers;
}

/// A layer of the network as Keras sees it: of a model that is one, all weights, those of trainable
/// layers first.
struct OuterLayer {
  std::string name;
  std::vector<OwnedParameter> weights;
};

/// "layers/sequential" of "layers/sequential/layers/dense".
std::string outer_store(const std::string& store) {
  return store.substr(0, store.find('/', store.find('/') + 1));
}

std::vector<OuterLayer> outer_layers(const Network& model, const NetworkRemarks& remarks) {
  std::vector<OuterLayer> outer;
  std::string before;
  for (const std::size_t i : file_order(model, remarks)) {
    const Layer& layer = *model.layers()[i];
    if (layer.parameters().empty()) continue;
    const std::string store = remarks.stores.empty() ? "" : remarks.stores[i];
    const std::string own = outer_store(store);
    if (outer.empty() || own == store || own != before) outer.push_back({layer.name(), {}});
    before = own;
    for (const Parameter& parameter : layer.parameters())
      outer.back().weights.push_back({&layer, &parameter});
  }
  for (OuterLayer& layer : outer)
    std::ranges::stable_partition(
        layer.weights, [](const OwnedParameter& owned) { return owned.parameter->trained(); });
  return outer;
}

std::vector<OwnedParameter> flat(const std::vector<OuterLayer>& layers) {
  std::vector<OwnedParameter> all;
  for (const OuterLayer& layer : layers)
    all.insert(all.end(), layer.weights.begin(), layer.weights.end());
  return all;
}

/// Matches by position and not by name, as Keras does.
std::vector<Place> find_by_order(const hdf5::File& file, const Network& model,
                                 const NetworkRemarks& remarks) {
  const std::vector<StoredLayer> stored = read_stored_layers(file);
  const std::vector<OuterLayer> wanted = outer_layers(model, remarks);
  const std::vector<OwnedParameter> parameters = flat(wanted);
  StoredLayer paths;
  for (const StoredLayer& layer : stored) paths.insert(paths.end(), layer.begin(), layer.end());
  auto weights = find_stored_weights(file, root_of(file), parameters, paths);
  if (!weights) {
    check(stored.size() == wanted.size(), ExitCode::kBadData,
          "[{}] expected weights for {} layers, got {}", file.name(), wanted.size(), stored.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
      check(stored[i].size() == wanted[i].weights.size(), ExitCode::kBadData,
            "[{}] expected {} weights for layer {}, got {}", file.name(), wanted[i].weights.size(),
            printable(wanted[i].name), stored[i].size());
  }
  check(weights.has_value(), ExitCode::kBadData, "[{}] expected {} weights, got {}", file.name(),
        parameters.size(), paths.size());
  std::vector<Place> places;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    places.push_back({parameters[i], std::move((*weights)[i])});
  return places;
}

// --- Keras 3: layers/dense_1/vars/0 ---

// Of Keras 3 and 2.14 or newer; of Keras 2.12 and 2.13.
const std::vector<std::string> kContainers = {"layers", "_layer_checkpoint_dependencies"};

constexpr std::array kOtherVariables = {"/seed_generator/", "/optimizer/vars/", "/metrics/"};

bool is_weight_path(const std::string& path) {
  const bool of_layer = std::ranges::any_of(kContainers, [&](const std::string& container) {
    return path.starts_with("/" + container + "/");
  });
  // A model that is a layer may have been compiled.
  const bool of_other = std::ranges::any_of(
      kOtherVariables, [&](const char* owner) { return path.find(owner) != std::string::npos; });
  return of_layer && !of_other && path.find("/vars/") != std::string::npos;
}

std::size_t count_weights(const hdf5::File& file) {
  const std::vector<std::string> paths = file.datasets();
  return static_cast<std::size_t>(std::ranges::count_if(paths, is_weight_path));
}

std::string with_container(std::string store, const std::string& container) {
  for (std::size_t at = 0; (at = store.find("layers/", at)) != std::string::npos;
       at += container.size()) {
    if (at == 0 || store[at - 1] == '/') store.replace(at, 6, container);
  }
  return store;
}

std::vector<Place> find_by_store(const hdf5::File& file, const Network& model,
                                 const NetworkRemarks& remarks) {
  const std::vector<std::string> stores =
      remarks.stores.empty() ? keras3_stores(model) : remarks.stores;
  const std::string container = file.exists("/" + kContainers[1]) ? kContainers[1] : kContainers[0];
  std::vector<Place> places;
  Problems problems;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const Layer& layer = *model.layers()[i];
    const std::string group = "/" + with_container(stores[i], container) + "/";
    const ParameterList parameters = layer.parameters();
    const std::vector<std::string> stores_within = layer.stores();
    for (std::size_t j = 0; j < parameters.size(); ++j) {
      const std::string path = group + stores_within[j];
      places.push_back({{&layer, &parameters[j]}, {{path}}});
      if (!file.exists(path))
        problems.add(fmt::format("[{}:{}]", file.name(), path),
                     fmt::format("expected the {} of layer {}, got nothing", parameters[j].path(),
                                 printable(layer.name())));
    }
  }
  problems.throw_if_any(ExitCode::kBadData);
  check(count_weights(file) == places.size(), ExitCode::kBadData,
        "[{}] expected {} weights of layers, got {}", file.name(), places.size(),
        count_weights(file));
  return places;
}

void check_shapes(const hdf5::File& file, const std::vector<Place>& places) {
  Problems problems;
  for (const Place& place : places) {
    const Shape shape = place.stored.shape(file);
    const Parameter& parameter = *place.parameter;
    if (shape != parameter.shape)
      problems.add(
          fmt::format("[{}:{}]", file.name(), printable(place.stored.paths.front())),
          fmt::format("expected shape {} for {} of layer {}, got {}", to_string(parameter.shape),
                      parameter.path(), printable(place.layer->name()), to_string(shape)));
  }
  problems.throw_if_any(ExitCode::kBadData);
}

}  // namespace

bool has_keras_weights(const hdf5::File& file) {
  return has_names(file, "/") || file.exists(kWholeModel) || count_weights(file) > 0;
}

void read_weights(const hdf5::File& file, const NetworkRemarks& remarks, Network& model) {
  const bool by_order = file.exists(kWholeModel) || has_names(file, "/");
  const std::vector<Place> places =
      by_order ? find_by_order(file, model, remarks) : find_by_store(file, model, remarks);
  check_shapes(file, places);
  for (const Place& place : places)
    std::ranges::copy(place.stored.read(file, place.parameter->shape),
                      place.parameter->value.begin());
}

namespace {

/// Of the layer of this name in a file of Keras 1 or 2; none if it is not there, or does not fit.
std::vector<Place> find_by_name(const hdf5::File& file, const Layer& layer) {
  const std::string root = root_of(file);
  const std::string group = (root == "/" ? "/" : root + "/") + layer.name();
  if (!file.exists(group)) return {};
  StoredLayer paths = file.read_strings(group, "weight_names");
  for (std::string& path : paths) path = group + "/" + path;
  std::vector<OwnedParameter> wanted;
  for (const Parameter& parameter : layer.parameters()) wanted.push_back({&layer, &parameter});
  auto stored = find_stored_weights(file, root, wanted, paths);
  std::vector<Place> places;
  for (std::size_t i = 0; stored && i < wanted.size(); ++i)
    places.push_back({wanted[i], std::move((*stored)[i])});
  return places;
}

/// Of the layer that stands at this place in a file of Keras 3.
std::vector<Place> find_at_store(const hdf5::File& file, const Layer& layer,
                                 const std::string& group) {
  std::vector<Place> places;
  const std::vector<std::string> within = layer.stores();
  for (std::size_t j = 0; j < within.size(); ++j) {
    if (!file.exists(group + "/" + within[j])) return {};
    places.push_back({{&layer, &layer.parameters()[j]}, {{group + "/" + within[j]}}});
  }
  return places;
}

/// The layers with weights of a file: their names, or in Keras 3's files their places.
std::vector<std::string> stored_names(const hdf5::File& file, bool by_name) {
  std::vector<std::string> names;
  if (by_name) {
    const std::string root = root_of(file);
    for (const std::string& name : file.read_strings(root, "layer_names"))
      if (!file.read_strings((root == "/" ? "/" : root + "/") + name, "weight_names").empty())
        names.push_back(name);
    return names;
  }
  for (const std::string& path : file.datasets())
    if (is_weight_path(path)) names.push_back(outer_store(path.substr(1)));
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

}  // namespace

MatchedLayers read_matching_weights(const hdf5::File& file, const NetworkRemarks& remarks,
                                    Network& model) {
  const bool by_name = file.exists(kWholeModel) || has_names(file, "/");
  const std::vector<std::string> stores =
      remarks.stores.empty() ? keras3_stores(model) : remarks.stores;
  const std::string container = file.exists("/" + kContainers[1]) ? kContainers[1] : kContainers[0];
  MatchedLayers matched;
  matched.left = stored_names(file, by_name);
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const Layer& layer = *model.layers()[i];
    if (layer.parameters().empty()) continue;
    const std::string store = with_container(stores[i], container);
    const std::vector<Place> places =
        by_name ? find_by_name(file, layer) : find_at_store(file, layer, "/" + store);
    const bool fits = !places.empty() && std::ranges::all_of(places, [&](const Place& place) {
      return place.stored.shape(file) == place.parameter->shape;
    });
    (fits ? matched.read : matched.drawn).push_back(layer.name());
    if (!fits) continue;
    for (const Place& place : places)
      std::ranges::copy(place.stored.read(file, place.parameter->shape),
                        place.parameter->value.begin());
    std::erase(matched.left, by_name ? layer.name() : outer_store(store));
  }
  return matched;
}

std::map<const Parameter*, StoredWeight> stored_weights(const hdf5::File& file,
                                                        const NetworkRemarks& remarks,
                                                        const Network& model) {
  std::map<const Parameter*, StoredWeight> stored;
  for (Place& place : find_by_order(file, model, remarks))
    stored.emplace(place.parameter, std::move(place.stored));
  return stored;
}

std::vector<std::size_t> file_order(const Network& model, const NetworkRemarks& remarks) {
  if (!remarks.file_order.empty()) return remarks.file_order;
  std::vector<std::size_t> order(model.layers().size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

std::vector<Layer*> layers_with_weights(const Network& model) {
  std::vector<Layer*> layers;
  for (const auto& layer : model.layers()) {
    if (!layer->parameters().empty()) layers.push_back(layer.get());
  }
  return layers;
}

}  // namespace lockstep
