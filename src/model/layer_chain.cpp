#include "src/model/layer_chain.hpp"

#include <algorithm>
#include <numeric>

#include "src/core/printable.hpp"
#include "src/layers/keras1_words.hpp"
#include "src/model/keras_names.hpp"
#include "src/model/layer_graph.hpp"
#include "src/model/size_limit.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr ExitCode kCode = ExitCode::kBadData;

/// The places in the config of layers[i]: "model JSON: config.layers[2] (dense_1): units".
KerasConfig::Locate in_layer(const std::string& path, const ordered_json& config) {
  std::string place = path;
  if (config.is_object() && config.contains("name") && config["name"].is_string())
    place += " (" + printable(config["name"].get_ref<const std::string&>(), 80) + ")";
  return [place](const std::string& key) {
    return "model JSON: " + place + (key.empty() ? "" : ": " + key);
  };
}

/// A layer of somebody's own that has the name of one of Keras's is still not Keras's.
void expect_keras_class(KerasConfig& object, const std::string& class_name) {
  if (const ordered_json* name = object.find("registered_name"); name && *name != class_name)
    object.object_to("registered_name", "null, a layer of Keras itself", describe(*name));
  const ordered_json* module = object.find("module");
  if (!module) return;
  const std::string name = module->is_string() ? module->get<std::string>() : "";
  if (!name.starts_with("keras") && !name.starts_with("tf_keras") &&
      !name.starts_with("tensorflow"))
    object.object_to("module", "a module of Keras", describe(*module));
}

/// Where a model stands in the one that is read.
struct Place {
  std::string path = "config";
  std::string store;  ///< in front of its layers' stores
  bool nested = false;
  bool frozen = false;
};

class Reader {
 public:
  Reader(KerasMajor keras, Problems& problems, LayerChain& chain)
      : keras_(keras), problems_(problems), chain_(chain) {}

  void read_model(const std::string& class_name, const ordered_json& config, const Place& place);
  bool flattened() const { return flattened_; }

 private:
  void read_layers(const ordered_json& list, const std::string& path,
                   const std::vector<std::size_t>& order, bool functional, const Place& place);
  void read_layer(const ordered_json& json, const std::string& path, bool functional,
                  NameCounter& stores, const Place& place);

  KerasMajor keras_;
  Problems& problems_;
  LayerChain& chain_;
  bool flattened_ = false;
};

void check_list(const ordered_json& list, const std::string& path) {
  check(list.is_array() && !list.empty(), kCode,
        "model JSON: {}: expected a list of layers, got {}", path, describe(list));
  check(list.size() <= kMaxLayers, kCode, "model JSON: {}: expected at most {} layers, got {}",
        path, kMaxLayers, list.size());
}

std::vector<std::size_t> as_listed(const ordered_json& list) {
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

void Reader::read_model(const std::string& class_name, const ordered_json& json,
                        const Place& place) {
  const bool functional = class_name != "Sequential";
  if (json.is_array() && !functional) {  // before Keras 2.3 the config was the list of layers
    check_list(json, place.path);
    if (!place.nested) chain_.name = "sequential";
    return read_layers(json, place.path, as_listed(json), false, place);
  }
  KerasConfig config(json, below(place.path), kCode);
  const ordered_json* layers = config.find("layers");
  if (!layers) config.refuse("layers", "a list of layers", "nothing");
  const std::string path = place.path + ".layers";
  check_list(*layers, path);
  Place inside = place;
  inside.frozen = place.frozen || !config.boolean("trainable", true);
  auto built_for = config.batch_shape("build_input_shape");
  const std::string name = config.name("name", functional ? "model" : "sequential");
  config.expect_float();
  if (functional) config.ignore({"input_layers", "output_layers"});
  config.finish();
  if (!place.nested) {
    chain_.name = name;
    if (built_for) chain_.built_for = std::move(built_for);
  }
  const auto order = functional ? order_of_chain(json, path, problems_) : as_listed(*layers);
  read_layers(*layers, path, order, functional, inside);
}

void Reader::read_layers(const ordered_json& list, const std::string& path,
                         const std::vector<std::size_t>& order, bool functional,
                         const Place& place) {
  NameCounter stores;
  for (const std::size_t i : order) {
    try {
      read_layer(list[i], fmt::format("{}[{}]", path, i), functional, stores, place);
    } catch (const ProblemsError& error) {
      problems_.add(error.problems());
    }
  }
}

void Reader::read_layer(const ordered_json& json, const std::string& path, bool functional,
                        NameCounter& stores, const Place& place) {
  KerasConfig object(json, below(path), kCode);
  const std::string class_name = object.name("class_name", "");
  if (class_name.empty()) object.refuse("class_name", "the name of a layer", "nothing");
  expect_keras_class(object, class_name);
  const ordered_json* config = object.find("config");
  if (!config) object.refuse("config", "an object", "nothing");
  object.ignore({"build_config", "name", "shared_object_id"});
  if (functional) object.ignore({"inbound_nodes"});
  if (is_model_class(class_name)) object.ignore({"keras_version", "backend", "compile_config"});
  object.finish();
  const std::string store = place.store + "layers/" + stores.next(keras_snake_case(class_name));
  if (is_model_class(class_name)) {
    flattened_ = true;
    return read_model(class_name, *config,
                      {path + ".config", store + "/", /*nested=*/true, place.frozen});
  }
  // The input of a model behind other layers is the output of those.
  // (Of a graph that is refused, one input is enough.)
  if (class_name == "InputLayer" && !chain_.layers.empty() && (place.nested || !problems_.empty()))
    return;
  LayerSource source{
      class_name,  in_newer_words(class_name, *config), in_layer(path, *config), keras_, store,
      place.nested};
  if (place.frozen && source.config.is_object()) source.config["trainable"] = false;
  chain_.layers.push_back(std::move(source));
  check(chain_.layers.size() <= kMaxLayers, kCode,
        "model JSON: expected at most {} layers in all, got more", kMaxLayers);
}

std::string* name_in(ordered_json& config) {
  if (!config.is_object() || !config.contains("name") || !config["name"].is_string())
    return nullptr;
  return config["name"].get_ptr<ordered_json::string_t*>();
}

/// Gives the layers of nested models other names where they stand twice in the chain.
void rename_nested(std::vector<LayerSource>& layers) {
  UniqueNames names;
  for (LayerSource& layer : layers)
    if (const std::string* name = name_in(layer.config); name && !layer.nested) names.take(*name);
  for (LayerSource& layer : layers)
    if (std::string* name = name_in(layer.config); name && layer.nested)
      *name = names.take_free(*name);
}

std::optional<Shape> read_build_config(KerasConfig& model) {
  const ordered_json* json = model.find("build_config");
  if (!json) return {};
  KerasConfig build_config(*json, below("build_config"), kCode);
  return build_config.batch_shape("input_shape");
}

}  // namespace

bool is_model_class(const std::string& class_name) {
  return class_name == "Sequential" || class_name == "Functional" || class_name == "Model";
}

KerasConfig::Locate below(const std::string& path) {
  return [path](const std::string& key) {
    std::string place = "model JSON";
    if (!path.empty()) place += ": " + path;
    if (!key.empty()) place += (path.empty() ? ": " : ".") + key;
    return place;
  };
}

LayerChain layer_chain(const ordered_json& json, KerasMajor keras, Problems& problems,
                       NetworkRemarks* remarks) {
  KerasConfig model(json, below(""), kCode);
  const std::string class_name = model.name("class_name", "nothing");
  model.throw_if_any();
  if (!is_model_class(class_name))
    model.refuse("class_name", "'Sequential', 'Functional' or 'Model'", printable(class_name));
  const ordered_json* config = model.find("config");
  if (!config) model.refuse("config", "an object", "nothing");
  LayerChain chain;
  chain.built_for = read_build_config(model);
  // How it was trained is compile_from_json()'s business.
  model.ignore({"compile_config", "training_config", "module", "registered_name", "keras_version",
                "backend", "date_saved", "name"});
  model.finish();
  Reader reader(keras, problems, chain);
  reader.read_model(class_name, *config, {});
  rename_nested(chain.layers);
  if (remarks && reader.flattened())
    remarks->saving_notes.push_back(
        "the models that are layers of the network become its layers in the files that are saved");
  if (remarks && class_name != "Sequential")
    remarks->saving_notes.push_back(
        "the functional model, a single chain, becomes a Network in the files that are saved");
  return chain;
}

}  // namespace lockstep
