#include "launch/migrate/network_graph.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/core/keras_names.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using LayerPtr = std::shared_ptr<ScriptLayer>;

constexpr std::size_t kMostNodes = 5'000;

std::optional<std::vector<LayerPtr>> own_chain(const ScriptModel& model) {
  if (model.form == ScriptModel::Form::kSequential) return model.layers;
  std::vector<LayerPtr> chain;
  for (auto node = model.output; node; node = node->inputs.empty() ? nullptr : node->inputs[0]) {
    if (node->inputs.size() > 1 || !node->arguments.empty() || chain.size() > kMostNodes)
      return std::nullopt;
    chain.push_back(node->layer);
    if (node == model.input) break;
  }
  std::ranges::reverse(chain);
  return chain;
}

class Graph {
 public:
  Graph(ScriptReader& reader, std::map<LayerPtr, std::string>& names)
      : reader_(reader), names_(names) {}

  Json of(const ScriptModel& model, const std::optional<RowsAsTheyAre>& rows, bool trained = true,
          int depth = 0) {
    trained = trained && model.trainable.value_or(true);
    const std::string name =
        !model.name.empty()
            ? model.name
            : taken_.take_free(model.form == ScriptModel::Form::kSequential ? "sequential"
                                                                            : "model");
    if (model.form == ScriptModel::Form::kLoaded || depth > 10) {
      reader_.unread(model.line, "a network from a file is carried over in a chain of layers only",
                     true);
      return {};
    }
    const bool functional = model.form == ScriptModel::Form::kFunctional;
    Json config = {{"name", name}, {"layers", Json::array()}};
    const bool done = functional ? functional_layers(model, rows, config, trained, depth)
                                 : sequential_layers(model, rows, config["layers"], trained, depth);
    if (!done) return {};
    return {{"class_name", functional ? "Functional" : "Sequential"}, {"config", config}};
  }

 private:
  std::string name_of(const LayerPtr& pointer) {
    const ScriptLayer& layer = *pointer;
    std::string& name = names_[pointer];
    if (name.empty() && layer.model) {
      name =
          !layer.model->name.empty()
              ? layer.model->name
              : taken_.take_free(layer.model->form == ScriptModel::Form::kSequential ? "sequential"
                                                                                     : "model");
    } else if (name.empty()) {
      name =
          taken_.take_free(!layer.name.empty() ? layer.name : keras_snake_case(layer.class_name));
    }
    return name;
  }

  Json layer_json(const LayerPtr& pointer, bool trained, int depth) {
    const ScriptLayer& layer = *pointer;
    const std::string name = name_of(pointer);
    trained = trained && layer.trainable.value_or(true);
    if (layer.model) {
      Json json = of(*layer.model, std::nullopt, trained, depth + 1);
      if (json.is_null()) return json;
      json["config"]["name"] = name;
      json["name"] = name;
      return json;
    }
    Json config = {{"name", name}};
    if (!trained && !layer.is_input()) config["trainable"] = false;
    for (const auto& [key, value] : layer.config.items()) config[key] = value;
    if (layer.input_shape) {
      config["batch_input_shape"] = Json::array({nullptr});
      for (const Json& extent : *layer.input_shape) config["batch_input_shape"].push_back(extent);
    }
    return {{"class_name", layer.class_name}, {"name", name}, {"config", config}};
  }

  bool sequential_layers(const ScriptModel& model, const std::optional<RowsAsTheyAre>& rows,
                         Json& to, bool trained, int depth) {
    if (rows) {
      const auto input = std::make_shared<ScriptLayer>();
      input->class_name = "InputLayer";
      input->input_shape = rows->shape;
      to.push_back(layer_json(input, true, depth));
      for (const ScriptLayer& change : layers_of_changes(rows->changes))
        to.push_back(layer_json(std::make_shared<ScriptLayer>(change), true, depth));
    }
    for (const LayerPtr& layer : model.layers) {
      if (rows && layer->is_input()) continue;
      to.push_back(layer_json(layer, trained, depth));
      if (to.back().is_null()) return false;
      if (rows && to.back()["config"].is_object()) to.back()["config"].erase("batch_input_shape");
    }
    return true;
  }

  /// Each behind those that it reads.
  bool sort(const std::shared_ptr<ScriptNode>& node, std::set<const ScriptNode*>& seen,
            std::vector<const ScriptNode*>& to) {
    if (!seen.insert(node.get()).second) return true;
    if (seen.size() > kMostNodes) return false;
    for (const auto& input : node->inputs)
      if (!sort(input, seen, to)) return false;
    for (const auto& [name, value] : node->arguments)
      if (value.node && !sort(value.node, seen, to)) return false;
    to.push_back(node.get());
    return true;
  }

  bool functional_layers(const ScriptModel& model, const std::optional<RowsAsTheyAre>& rows,
                         Json& config, bool trained, int depth) {
    std::set<const ScriptNode*> seen;
    std::vector<const ScriptNode*> order;
    if (!sort(model.output, seen, order) || !seen.contains(model.input.get())) {
      reader_.unread(model.line, "no way leads from the input of this network to its output", true);
      return false;
    }
    // Where a node's value is found: (layer, which of its calls).
    std::map<const ScriptNode*, std::pair<std::string, std::int64_t>> places;
    std::map<const ScriptLayer*, std::size_t> at;  // in the list
    const auto entry = [&](const ScriptNode* node) {
      const auto& [name, call] = places.at(node);
      return Json::array({name, call, 0});
    };
    Json& layers = config["layers"];
    std::string input_name;
    for (const ScriptNode* node : order) {
      ScriptLayer& layer = *node->layer;
      if (node == model.input.get()) {
        const auto input = std::make_shared<ScriptLayer>(layer);
        if (rows) input->input_shape = rows->shape;
        names_[input] = input_name = name_of(node->layer);
        layers.push_back(layer_json(input, true, depth));
        layers.back()["inbound_nodes"] = Json::array();
        places[node] = {input_name, 0};
        if (!rows) continue;
        for (const ScriptLayer& change : layers_of_changes(rows->changes)) {
          Json json = layer_json(std::make_shared<ScriptLayer>(change), true, depth);
          const Json from = entry(node);
          json["inbound_nodes"] =
              Json::array({Json::array({Json::array({from[0], from[1], 0, Json::object()})})});
          places[node] = {json["name"].get<std::string>(), 0};
          layers.push_back(std::move(json));
        }
        continue;
      }
      if (node->inputs.empty()) {
        reader_.unread(layer.line, "expected a network of one input", true);
        return false;
      }
      if (!at.contains(&layer)) {
        Json json = layer_json(node->layer, trained, depth);
        if (json.is_null()) return false;
        json["inbound_nodes"] = Json::array();
        at[&layer] = layers.size();
        layers.push_back(std::move(json));
      }
      Json& json = layers[at[&layer]];
      Json arguments = Json::object();
      for (const auto& [name, value] : node->arguments)
        arguments[name] = value.node ? entry(value.node.get()) : value.constant;
      Json call = Json::array();
      for (const auto& input : node->inputs) {
        Json one = entry(input.get());
        one.push_back(arguments);
        call.push_back(std::move(one));
      }
      places[node] = {json["name"].get<std::string>(),
                      static_cast<std::int64_t>(json["inbound_nodes"].size())};
      json["inbound_nodes"].push_back(std::move(call));
    }
    config["input_layers"] = Json::array({Json::array({input_name, 0, 0})});
    config["output_layers"] = Json::array({entry(model.output.get())});
    return true;
  }

  ScriptReader& reader_;
  std::map<LayerPtr, std::string>& names_;
  UniqueNames taken_;
};

bool add_to_chain(const ScriptModel& model, int depth, std::vector<LayerPtr>& to) {
  const auto own = own_chain(model);
  if (!own || depth > 10) return false;
  for (const LayerPtr& layer : *own) {
    if (layer->model && layer->model->form != ScriptModel::Form::kLoaded) {
      if (!add_to_chain(*layer->model, depth + 1, to)) return false;
      continue;
    }
    if (layer->is_input() && !to.empty()) continue;  // of a model in it
    if (std::ranges::find(to, layer) != to.end()) return false;
    to.push_back(layer);
  }
  return true;
}

void add_frozen(const ScriptModel& model, bool trained, int depth, std::set<LayerPtr>& to) {
  if (depth > 10) return;
  trained = trained && model.trainable.value_or(true);
  std::vector<LayerPtr> layers = model.layers;
  std::set<const ScriptNode*> seen;
  std::vector<const ScriptNode*> open = {model.output.get()};
  while (!open.empty()) {
    const ScriptNode* node = open.back();
    open.pop_back();
    if (node == nullptr || !seen.insert(node).second) continue;
    layers.push_back(node->layer);
    for (const auto& input : node->inputs) open.push_back(input.get());
    for (const auto& [name, value] : node->arguments) open.push_back(value.node.get());
  }
  for (const LayerPtr& layer : layers) {
    const bool layer_trained = trained && layer->trainable.value_or(true);
    if (!layer_trained && !layer->is_input()) to.insert(layer);
    if (layer->model) add_frozen(*layer->model, layer_trained, depth + 1, to);
  }
}

}  // namespace

std::set<LayerPtr> frozen_layers(const ScriptModel& model) {
  std::set<LayerPtr> frozen;
  add_frozen(model, true, 0, frozen);
  return frozen;
}

std::optional<std::vector<LayerPtr>> chain_of(const ScriptModel& model) {
  std::vector<LayerPtr> chain;
  if (model.form == ScriptModel::Form::kLoaded || !add_to_chain(model, 0, chain))
    return std::nullopt;
  return chain;
}

std::vector<ScriptLayer> layers_of_changes(const Json& changes) {
  std::vector<ScriptLayer> layers;
  for (const Json& change : changes) {
    ScriptLayer& layer = layers.emplace_back();
    layer.class_name = change.contains("scale") ? "Rescaling" : "Reshape";
    layer.config = change.contains("scale") ? change : Json{{"target_shape", change["shape"]}};
  }
  return layers;
}

Json graph_json(ScriptReader& reader, const ScriptModel& model,
                const std::optional<RowsAsTheyAre>& rows, std::map<LayerPtr, std::string>& names) {
  return Graph(reader, names).of(model, rows);
}

}  // namespace lockstep
