#include "src/model/model_blueprint.hpp"

#include <algorithm>
#include <unordered_map>

#include "src/core/printable.hpp"
#include "src/layers/keras1_words.hpp"
#include "src/model/keras_names.hpp"
#include "src/model/layer_calls.hpp"
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

/// Where a model stands in the one that is read.
struct Place {
  std::string path = "config";
  std::string store;  ///< in front of its layers' stores
  bool nested = false;
  bool has_input = false;  ///< from the model around it
  bool frozen = false;
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

class Reader {
 public:
  Reader(KerasMajor keras, Problems& problems, ReadModel& read)
      : keras_(keras), problems_(problems), read_(read) {}

  ModelBlueprint read_model(const std::string& class_name, const ordered_json& config,
                            const Place& place);

 private:
  void read_parts(const ordered_json& list, const std::string& path, bool functional,
                  const Place& place, ModelBlueprint& blueprint);
  void read_part(const ordered_json& json, const std::string& path, bool functional,
                 NameCounter& stores, const Place& place, ModelBlueprint::Part& part);

  KerasMajor keras_;
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
  for (std::size_t i = 0; i < blueprint.parts.size(); ++i) {
    const auto& layer = blueprint.parts[i].layer;
    // The input of a model behind other layers is the output of those.
    if (before && place.nested && layer && layers[*layer].class_name == "InputLayer") continue;
    blueprint.uses.push_back({i, {}});
    if (before) blueprint.uses.back().inputs.push_back(*before);
    before = Tensor{blueprint.uses.size() - 1, 0};
  }
  if (before) blueprint.outputs = {*before};
}

/// Uses the parts of a functional model as its config says.
class Wiring {
 public:
  Wiring(const ordered_json& config, const std::string& path, const Place& place,
         const std::vector<LayerSource>& layers, ModelBlueprint& blueprint, Problems& problems)
      : list_(config["layers"]),
        path_(path),
        place_(place),
        layers_(layers),
        blueprint_(blueprint),
        problems_(problems),
        calls_(list_.size()),
        made_(list_.size()) {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      calls_[i] = read_layer_calls(list_[i]);
      if (!indices_.emplace(blueprint.parts[i].name, i).second)
        object_to(i, "every layer to have a name of its own", "it twice");
    }
    make_inputs(read_ends(config.value("input_layers", ordered_json())));
    check_names();
    if (bad_) return;
    const std::vector<TensorName> outputs =
        read_ends(config.value("output_layers", ordered_json()));
    find_first_calls(outputs);
    make_uses();
    if (!bad_) make_outputs(outputs);
  }

 private:
  using Tensor = ModelBlueprint::Tensor;

  bool is_input(std::size_t i) const {
    const auto& layer = blueprint_.parts[i].layer;
    return layer && layers_[*layer].class_name == "InputLayer";
  }

  void object_to(std::size_t i, const std::string& expected, const std::string& found) {
    bad_ = true;
    problems_.add(
        fmt::format("model JSON: {}[{}] ({})", path_, i, printable(blueprint_.parts[i].name, 80)),
        fmt::format("expected {}, got {}", expected, found));
  }
  void object(const std::string& expected, const std::string& found) {
    bad_ = true;
    problems_.add("model JSON: " + path_, fmt::format("expected {}, got {}", expected, found));
  }

  /// The InputLayers in the order of `input_layers`, or as they are listed.
  void make_inputs(std::vector<TensorName> names) {
    if (names.empty())
      for (std::size_t i = 0; i < list_.size(); ++i)
        if (is_input(i)) names.push_back({blueprint_.parts[i].name});
    for (const TensorName& name : names) {
      const auto found = indices_.find(name.layer);
      if (found == indices_.end() || !is_input(found->second)) {
        object("InputLayers as input_layers", listed(names));
        continue;
      }
      if (place_.has_input) {
        made_[found->second] = {{{}, blueprint_.inputs++}};
      } else {
        blueprint_.uses.push_back({found->second, {}});
        made_[found->second] = {{blueprint_.uses.size() - 1, 0}};
      }
    }
  }

  void check_names() {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      if (is_input(i) && made_[i].empty())
        object_to(i, "every InputLayer among input_layers", "it elsewhere");
      if (!is_input(i) && calls_[i].empty()) object_to(i, "an input of the layer", "none");
      for (const LayerCall& call : calls_[i]) {
        if (call.inputs.empty()) object_to(i, "an input of the layer", "none");
        for (const TensorName& input : call.inputs)
          if (!indices_.contains(input.layer))
            object_to(i, "the name of a layer as input", printable(input.layer, 80));
        if (!call.arguments.empty())
          object_to(i, "a layer that is called with its inputs alone",
                    fmt::format("{}", fmt::join(call.arguments, ", ")));
      }
    }
  }

  /// Calls of a model are mostly counted from 1: the first one made it.
  void find_first_calls(const std::vector<TensorName>& outputs) {
    first_call_.assign(list_.size(), 0);
    for (std::size_t i = 0; i < list_.size(); ++i)
      if (blueprint_.parts[i].model) first_call_[i] = 1;
    const auto look_at = [&](const TensorName& name) {
      const auto found = indices_.find(name.layer);
      if (found != indices_.end() && name.call == 0) first_call_[found->second] = 0;
    };
    for (const auto& calls : calls_)
      for (const LayerCall& call : calls) std::ranges::for_each(call.inputs, look_at);
    std::ranges::for_each(outputs, look_at);
  }

  std::optional<Tensor> find(const TensorName& name) const {
    const std::size_t i = indices_.at(name.layer);
    const std::int64_t call = name.call - first_call_[i];
    const auto& made = made_[i];
    if (call < 0 || static_cast<std::size_t>(call) >= made.size() || name.tensor < 0) return {};
    Tensor tensor = made[static_cast<std::size_t>(call)];
    const auto& model = blueprint_.parts[i].model;
    if (static_cast<std::size_t>(name.tensor) >= (model ? model->outputs.size() : 1)) return {};
    if (tensor.use) tensor.output = static_cast<std::size_t>(name.tensor);
    return tensor;
  }

  /// A layer's calls in order, each when its inputs are there: as Keras does.
  bool make_next(std::size_t i) {
    const std::size_t next = made_[i].size();
    if (is_input(i) || next >= calls_[i].size()) return false;
    std::vector<Tensor> inputs;
    for (const TensorName& name : calls_[i][next].inputs) {
      const auto tensor = find(name);
      if (!tensor) return false;
      inputs.push_back(*tensor);
    }
    blueprint_.uses.push_back({i, std::move(inputs), calls_[i][next].inference});
    made_[i].push_back({blueprint_.uses.size() - 1, 0});
    return true;
  }

  void make_uses() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < list_.size(); ++i)
        while (make_next(i)) moved = true;
    }
    for (std::size_t i = 0; i < list_.size(); ++i)
      if (!is_input(i) && made_[i].size() < calls_[i].size())
        object_to(i, "inputs that do not depend on the layer itself",
                  listed(calls_[i][made_[i].size()].inputs));
  }

  void make_outputs(const std::vector<TensorName>& names) {
    if (names.empty()) return object("output_layers", "none");
    for (const TensorName& name : names) {
      const auto tensor = indices_.contains(name.layer) ? find(name) : std::optional<Tensor>();
      if (!tensor) return object("layers of the model as output_layers", listed(names));
      blueprint_.outputs.push_back(*tensor);
    }
  }

  const ordered_json& list_;
  const std::string path_;
  const Place& place_;
  const std::vector<LayerSource>& layers_;
  ModelBlueprint& blueprint_;
  Problems& problems_;
  std::vector<std::vector<LayerCall>> calls_;  ///< by layer
  std::vector<std::vector<Tensor>> made_;      ///< by layer, the output of each use
  std::vector<std::int64_t> first_call_;       ///< by layer
  std::unordered_map<std::string, std::size_t> indices_;
  bool bad_ = false;
};

ModelBlueprint Reader::read_model(const std::string& class_name, const ordered_json& json,
                                  const Place& place) {
  const bool functional = class_name != "Sequential";
  ModelBlueprint blueprint;
  if (json.is_array() && !functional) {  // before Keras 2.3 the config was the list of layers
    check_list(json, place.path);
    blueprint.name = "sequential";
    read_parts(json, place.path, false, place, blueprint);
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
  config.finish();
  if (!place.nested && built_for) read_.built_for = std::move(built_for);
  read_parts(*layers, path, functional, inside, blueprint);
  if (functional)
    Wiring(json, path, inside, read_.layers, blueprint, problems_);
  else
    follow_each_other(inside, read_.layers, blueprint);
  return blueprint;
}

void Reader::read_parts(const ordered_json& list, const std::string& path, bool functional,
                        const Place& place, ModelBlueprint& blueprint) {
  NameCounter stores;
  for (std::size_t i = 0; i < list.size(); ++i) {
    ModelBlueprint::Part& part = blueprint.parts.emplace_back();
    part.name = name_of(list[i]);
    Place inside = place;
    inside.has_input = functional || place.has_input || i > 0;
    try {
      read_part(list[i], fmt::format("{}[{}]", path, i), functional, stores, inside, part);
    } catch (const ProblemsError& error) {
      problems_.add(error.problems());
    }
  }
}

void Reader::read_part(const ordered_json& json, const std::string& path, bool functional,
                       NameCounter& stores, const Place& place, ModelBlueprint::Part& part) {
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
    read_.has_models = true;
    part.model = std::make_unique<ModelBlueprint>(read_model(
        class_name, *config,
        {path + ".config", store + "/", /*nested=*/true, place.has_input, place.frozen}));
    return;
  }
  LayerSource source{
      class_name,  in_newer_words(class_name, *config), in_layer(path, *config), keras_, store,
      place.nested};
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
  model.finish();
  read.blueprint = Reader(keras, problems, read).read_model(class_name, *config, {});
  return read;
}

}  // namespace lockstep
