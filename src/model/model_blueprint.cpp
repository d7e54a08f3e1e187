#include "src/model/model_blueprint.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <string_view>

#include "src/core/keras_names.hpp"
#include "src/core/printable.hpp"
#include "src/layers/older_words.hpp"
#include "src/model/call_masks.hpp"
#include "src/model/constant_operations.hpp"
#include "src/model/functional_wiring.hpp"
#include "src/model/model_json.hpp"
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

/// In front of the classes of KerasHub.
constexpr std::string_view kKerasHub = "keras_hub>";

/// A layer of somebody's own that has the name of one of Keras's is still not Keras's.
void expect_keras_class(KerasConfig& object, const std::string& class_name) {
  if (const ordered_json* name = object.find("registered_name");
      name && *name != class_name && *name != std::string(kKerasHub) + class_name)
    object.object_to("registered_name", "null, a layer of Keras itself", describe(*name));
  const ordered_json* module = object.find("module");
  if (!module) return;
  const std::string name = module->is_string() ? module->get<std::string>() : "";
  if (!name.starts_with("keras") && !name.starts_with("tf_keras") &&
      !name.starts_with("tensorflow"))
    object.object_to("module", "a module of Keras", describe(*module));
}

/// What Keras makes of `x + y` is no layer, but does what one does: its class. Keras 3 has classes
/// of operations, Keras 2 one class for all.
std::string layer_for(const std::string& class_name, KerasConfig& object, ordered_json& config) {
  if (class_name == "TFOpLambda" && config.is_object() && config.contains("function")) {
    static const std::map<std::string, std::string, std::less<>> kLayers = {
        {"__operators__.add", "Add"},  {"math.add", "Add"},         {"math.subtract", "Subtract"},
        {"math.multiply", "Multiply"}, {"math.maximum", "Maximum"}, {"math.minimum", "Minimum"}};
    const auto found = kLayers.find(
        config["function"].is_string() ? config["function"].get<std::string>() : std::string());
    if (found == kLayers.end())
      object.refuse("class_name", "a layer", "the operation " + describe(config["function"]));
    config.erase("function");
    return found->second;
  }
  const ordered_json* module = object.find("module");
  if (!module || !module->is_string() ||
      module->get_ref<const std::string&>().find(".ops.") == std::string::npos)
    return class_name;
  static constexpr std::array kSame = {"Add",     "Subtract",    "Multiply", "Maximum",
                                       "Minimum", "Concatenate", "Softmax"};
  if (std::ranges::find(kSame, class_name) == kSame.end())
    object.refuse("class_name", "a layer",
                  "the operation " + printable(class_name) + " of " + describe(*module));
  return class_name;
}

KerasConfig::Locate below(const std::string& path) {
  return [path](const std::string& key) {
    std::string place = "model JSON";
    if (!path.empty()) place += ": " + path;
    if (!key.empty()) place += (path.empty() ? ": " : ".") + key;
    return place;
  };
}

/// Where a model stands in the one that is read.
struct Place {
  std::string path = "config";
  std::string store;  ///< in front of its layers' stores
  bool nested = false;
  bool has_input = false;  ///< from the model around it
  bool frozen = false;
  bool in_order = false;  ///< the calls of each layer are listed as they are made
};

std::string name_of(const ordered_json& layer) {
  if (!layer.is_object()) return "";
  if (layer.contains("name") && layer["name"].is_string()) return layer["name"];
  const ordered_json config = layer.value("config", ordered_json());
  if (config.is_object() && config.contains("name") && config["name"].is_string())
    return config["name"];
  return "";
}

void check_list(const ordered_json& list, const std::string& path) {
  check(list.is_array() && !list.empty(), kCode,
        "model JSON: {}: expected a list of layers, got {}", path, describe(list));
  check(list.size() <= kMaxLayers, kCode, "model JSON: {}: expected at most {} layers, got {}",
        path, kMaxLayers, list.size());
}

NumberedLayers numbered(const ordered_json& list) {
  NumberedLayers layers{list, std::vector<std::size_t>(list.size())};
  std::iota(layers.numbers.begin(), layers.numbers.end(), std::size_t{0});
  return layers;
}

/// Of a functional model, whose calls then have no arguments but what the layers take.
NumberedLayers with_plain_calls(const ordered_json& list) {
  NumberedLayers layers = without_call_masks(list);
  for (ordered_json& layer : layers.list) layer = as_rescaling(layer);
  return layers;
}

class Reader {
 public:
  Reader(KerasMajor keras, bool channels_first, Problems& problems, ReadModel& read)
      : keras_(keras), channels_first_(channels_first), problems_(problems), read_(read) {}

  ModelBlueprint read_model(const std::string& class_name, const ordered_json& config,
                            const Place& place);

 private:
  void read_parts(const NumberedLayers& layers, const std::string& path, bool functional,
                  const Place& place, ModelBlueprint& blueprint);
  void read_part(const ordered_json& json, const std::string& path, bool functional,
                 NameCounter& stores, const Place& place, ModelBlueprint::Part& part);

  KerasMajor keras_;
  bool channels_first_;  ///< of layers of Keras 1 that do not say it
  Problems& problems_;
  ReadModel& read_;
};

/// Uses the parts of a Sequential one after the other.
void follow_each_other(const Place& place, const std::vector<LayerSource>& layers,
                       ModelBlueprint& blueprint) {
  using Tensor = ModelBlueprint::Tensor;
  std::optional<Tensor> before;
  if (place.has_input) before = Tensor{};
  blueprint.inputs = place.has_input ? 1 : 0;
  blueprint.input_layers.resize(blueprint.inputs);
  for (std::size_t i = 0; i < blueprint.parts.size(); ++i) {
    const auto& layer = blueprint.parts[i].layer;
    // The input of a model behind other layers is the output of those.
    if (before && place.nested && layer && layers[*layer].class_name == "InputLayer") {
      if (i == 0) blueprint.input_layers[0] = layer;
      continue;
    }
    blueprint.uses.push_back({i, {}});
    if (before) blueprint.uses.back().inputs.push_back(*before);
    before = Tensor{blueprint.uses.size() - 1, 0};
  }
  if (before) blueprint.outputs = {*before};
}

ModelBlueprint Reader::read_model(const std::string& class_name, const ordered_json& json,
                                  const Place& place) {
  const bool functional = class_name != "Sequential";
  ModelBlueprint blueprint;
  if (json.is_array() && !functional) {  // before Keras 2.3 the config was the list of layers
    check_list(json, place.path);
    blueprint.name = "sequential";
    read_parts(numbered(json), place.path, false, place, blueprint);
    follow_each_other(place, read_.layers, blueprint);
    return blueprint;
  }
  KerasConfig config(json, below(place.path), kCode);
  const ordered_json* layers = config.find("layers");
  if (!layers) config.refuse("layers", "a list of layers", "nothing");
  const std::string path = place.path + ".layers";
  check_list(*layers, path);
  Place inside = place;
  inside.frozen = place.frozen || !config.boolean("trainable", true);
  auto built_for = config.batch_shape("build_input_shape");
  blueprint.name = config.name("name", functional ? "model" : "sequential");
  config.expect_float();
  if (functional) config.ignore({"input_layers", "output_layers"});
  if (const ordered_json* in_order = config.find(kInOrder)) inside.in_order = *in_order == true;
  config.finish();
  if (!place.nested && built_for) read_.built_for = std::move(built_for);
  const NumberedLayers parts = functional ? with_plain_calls(*layers) : numbered(*layers);
  read_parts(parts, path, functional, inside, blueprint);
  if (functional)
    wire({.config = json,
          .listed = parts,
          .path = path,
          .has_input = inside.has_input,
          .in_order = inside.in_order,
          .layers = read_.layers},
         blueprint, problems_);
  else
    follow_each_other(inside, read_.layers, blueprint);
  return blueprint;
}

void Reader::read_parts(const NumberedLayers& layers, const std::string& path, bool functional,
                        const Place& place, ModelBlueprint& blueprint) {
  NameCounter stores;
  for (std::size_t i = 0; i < layers.list.size(); ++i) {
    const ordered_json& layer = layers.list[i];
    ModelBlueprint::Part& part = blueprint.parts.emplace_back();
    part.name = name_of(layer);
    Place inside = place;
    inside.has_input = functional || place.has_input || i > 0;
    try {
      read_part(layer, fmt::format("{}[{}]", path, layers.numbers[i]), functional, stores, inside,
                part);
    } catch (const ProblemsError& error) {
      problems_.add(error.problems());
    }
  }
}

void Reader::read_part(const ordered_json& json, const std::string& path, bool functional,
                       NameCounter& stores, const Place& place, ModelBlueprint::Part& part) {
  KerasConfig object(json, below(path), kCode);
  const std::string whole_name = object.name("class_name", "");
  const std::string class_name =
      whole_name.substr(whole_name.starts_with(kKerasHub) ? kKerasHub.size() : 0);
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
    read_.has_models = true;
    part.model = std::make_unique<ModelBlueprint>(read_model(
        class_name, *config,
        {path + ".config", store + "/", /*nested=*/true, place.has_input, place.frozen}));
    return;
  }
  ordered_json own = *config;
  std::string layer_class = layer_for(class_name, object, own);
  use_newer_words(layer_class, own, channels_first_);
  LayerSource source{layer_class, std::move(own), in_layer(path, *config),
                     keras_,      store,          place.nested};
  source.in_chain = !functional;
  if (place.frozen && source.config.is_object()) source.config["trainable"] = false;
  part.layer = read_.layers.size();
  read_.layers.push_back(std::move(source));
  check(read_.layers.size() <= kMaxLayers, kCode,
        "model JSON: expected at most {} layers in all, got more", kMaxLayers);
}

std::optional<Shape> read_build_config(KerasConfig& model) {
  const ordered_json* json = model.find("build_config");
  if (!json) return {};
  KerasConfig build_config(*json, below("build_config"), kCode);
  return build_config.batch_shape("input_shape");
}

}  // namespace

bool is_model_class(const ordered_json& class_name) {
  return class_name == "Sequential" || class_name == "Functional" || class_name == "Model";
}

ReadModel read_model_blueprint(const ordered_json& json, KerasMajor keras, Problems& problems) {
  KerasConfig model(json, below(""), kCode);
  const std::string class_name = model.name("class_name", "nothing");
  model.throw_if_any();
  if (!is_model_class(class_name))
    model.refuse("class_name", "'Sequential', 'Functional' or 'Model'", printable(class_name));
  const ordered_json* config = model.find("config");
  if (!config) model.refuse("config", "an object", "nothing");
  ReadModel read;
  read.functional = class_name != "Sequential";
  read.built_for = read_build_config(model);
  // How it was trained is compile_from_json()'s business.
  model.ignore({"compile_config", "training_config", "module", "registered_name", "keras_version",
                "backend", "date_saved", "name"});
  Place place;
  if (const ordered_json* in_order = model.find(kInOrder)) place.in_order = *in_order == true;
  model.finish();
  read.blueprint = Reader(keras, says_channels_first(json), problems, read)
                       .read_model(class_name, *config, place);
  return read;
}

}  // namespace lockstep
