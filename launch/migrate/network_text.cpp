#include "launch/migrate/network_text.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "launch/migrate/network_graph.hpp"
#include "src/core/problems.hpp"
#include "src/layers/make_layer.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

bool is_plain_word(const std::string& text) {
  const auto letter = [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
  };
  return !text.empty() && letter(text[0]) && text != "None" && text != "True" && text != "False" &&
         std::ranges::all_of(text, [&](char c) {
           return letter(c) || std::isdigit(static_cast<unsigned char>(c));
         });
}

/// 1/255
std::string scale_text(const Json& value) {
  const double inverse = 1 / value.get<double>();
  const double whole = std::round(inverse);
  const bool is_fraction = whole > 1 && whole < 1e6 && 1 / whole == value.get<double>();
  return is_fraction ? fmt::format("1/{}", whole) : value.dump();
}

std::string call_text(const std::string& class_name, const Json& config) {
  const auto signature =
      std::ranges::find(layer_signatures(), class_name, &LayerSignature::class_name);
  std::vector<std::string> arguments;
  for (const auto& [key, value] : config.items()) {
    const std::string words =
        key == "scale" && value.is_number_float() ? scale_text(value) : words_of(value);
    const bool first = arguments.empty() && signature != layer_signatures().end() &&
                       !signature->arguments.empty() && signature->arguments[0] == key;
    arguments.push_back(first ? words : fmt::format("{}={}", key, words));
  }
  return fmt::format("{}({})", class_name, fmt::join(arguments, ", "));
}

std::string layer_text(const ScriptLayer& layer) {
  if (layer.is_input())
    return fmt::format("Input({})", words_of(layer.input_shape.value_or(Json::array())));
  Json config = layer.config;
  if (!layer.name.empty()) config["name"] = layer.name;
  if (layer.trainable && !*layer.trainable) config["trainable"] = false;
  return call_text(layer.class_name, config);
}

std::string joined(const std::vector<ScriptLayer>& layers) {
  std::vector<std::string> texts;
  for (const ScriptLayer& layer : layers) texts.push_back(layer_text(layer));
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool known_shape(const std::optional<Json>& shape) {
  return shape && shape->is_array() &&
         std::ranges::none_of(*shape, [](const Json& extent) { return extent.is_null(); });
}

/// As values, the input's shape in front in an InputLayer.
std::vector<ScriptLayer> with_input(const ScriptModel& model,
                                    const std::vector<std::shared_ptr<ScriptLayer>>& chain,
                                    const std::optional<RowsAsTheyAre>& rows) {
  const auto frozen = frozen_layers(model);
  std::vector<ScriptLayer> layers;
  std::optional<Json> shape;
  for (const auto& link : chain) {
    if (!shape && layers.empty()) shape = link->input_shape;
    if (link->is_input()) continue;
    layers.push_back(*link);
    if (frozen.contains(link)) layers.back().trainable = false;
  }
  std::vector<ScriptLayer> front;
  if (rows) shape = rows->shape;
  if (known_shape(shape)) {
    front.emplace_back().class_name = "InputLayer";
    front.back().input_shape = shape;
  }
  if (rows)
    for (const ScriptLayer& change : layers_of_changes(rows->changes)) front.push_back(change);
  front.insert(front.end(), layers.begin(), layers.end());
  return front;
}

/// That Lockstep takes it; told for the model otherwise.
template <class Make>
bool is_taken(ScriptReader& reader, const ScriptModel& model, Make make) {
  try {
    make();
    return true;
  } catch (const Error& error) {
    reader.unread(model.line, "Lockstep does not take this network: " + without_where(error), true);
    return false;
  }
}

std::vector<std::string> frozen_names(const ScriptModel& model) {
  std::vector<std::string> frozen;
  const auto layers = frozen_layers(model);
  for (const auto& [layer, name] : model.names)
    if (!layer->model && layers.contains(layer)) frozen.push_back(name);
  std::ranges::sort(frozen);
  return frozen;
}

/// What is trained on, with the layers that are frozen or trained now and were not.
NetworkText goes_on(ScriptModel& model, const std::vector<std::shared_ptr<ScriptLayer>>* chain) {
  NetworkText text;
  text.from = model.trained_file;
  std::vector<std::string> freeze, unfreeze;
  const std::vector<std::string> names = frozen_names(model);
  const std::set<std::string> now(names.begin(), names.end());
  for (const std::string& name : now)
    if (!model.frozen.contains(name)) freeze.push_back(name);
  for (const std::string& name : model.frozen)
    if (name != "*" && !now.contains(name)) unfreeze.push_back(name);
  if (chain != nullptr && model.frozen.contains("*"))
    for (const auto& link : *chain)
      if (link->model && link->model->trainable.value_or(true) &&
          !frozen_layers(model).contains(link))
        unfreeze.emplace_back("*");
  if (!unfreeze.empty() && unfreeze.front() == "*") model.frozen.erase("*");
  if (!model.frozen.contains("*") || !now.empty()) {
    const bool file = model.frozen.contains("*");
    model.frozen = now;
    if (file) model.frozen.insert("*");
  }
  text.freeze = fmt::format("{}", fmt::join(freeze, ","));
  text.unfreeze = fmt::format("{}", fmt::join(unfreeze, ","));
  return text;
}

std::optional<NetworkText> from_file(ScriptReader& reader, ScriptModel& model,
                                     const std::vector<std::shared_ptr<ScriptLayer>>& chain) {
  NetworkText text;
  std::vector<ScriptLayer> head;
  std::int64_t dropped = 0;
  bool frozen = false;
  const auto frozen_ones = frozen_layers(model);
  for (const auto& link : chain) {
    if (link->model) {
      if (!text.from.empty() || !head.empty()) {
        reader.unread(link->line,
                      "a network from a file is carried over if it is the first part only", true);
        return std::nullopt;
      }
      text.from = link->model->file;
      dropped = link->dropped;
      frozen = !link->model->trainable.value_or(true) || frozen_ones.contains(link);
    } else if (!link->is_input()) {
      head.push_back(*link);
      if (frozen_ones.contains(link)) head.back().trainable = false;
    }
  }
  if (frozen) text.freeze = "*";
  if (frozen) model.frozen.insert("*");
  if (head.empty() && dropped == 0) return text;
  const bool has_weights = std::ranges::any_of(head, [](const ScriptLayer& layer) {
    return layer.class_name != "Dropout" && layer.class_name != "Flatten";
  });
  if (dropped == 0 || !has_weights) {
    reader.unread(
        model.line,
        fmt::format("a head in the place of the last layer with weights of {0} is carried "
                    "over, not one behind all of {0}, nor none",
                    text.from),
        true);
    return std::nullopt;
  }
  text.replace_head = joined(head);
  reader.note(
      fmt::format("replace-head takes the place of the last layer with weights in {}, and of "
                  "all behind it; the script leaves out the last {} layer(s)",
                  text.from, dropped));
  if (!is_taken(reader, model, [&] { layers_from_text(text.replace_head); })) return std::nullopt;
  return text;
}

void tell_trained(ScriptReader& reader, const ScriptModel& model, const ScriptLayer& layer) {
  if (layer.trained != nullptr && layer.trained != &model)
    reader.unread(reader.line(),
                  "this network holds layers that another one has trained: here they "
                  "begin untrained");
}

}  // namespace

std::string words_of(const Json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return is_plain_word(text) ? text : fmt::format("'{}'", text);
  }
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_null()) return "None";
  if (value.is_array()) {
    std::vector<std::string> parts;
    bool calls = false;
    for (const Json& part : value) {
      parts.push_back(words_of(part));
      calls = calls || part.is_object();
    }
    if (calls) return fmt::format("[{}]", fmt::join(parts, ", "));
    return fmt::format("({}{})", fmt::join(parts, ", "), parts.size() == 1 ? "," : "");
  }
  if (value.is_object() && value.contains("class_name"))
    return call_text(value["class_name"].get<std::string>(), value["config"]);
  return value.dump();
}

bool begins_with_file(const std::shared_ptr<ScriptModel>& model) {
  if (model->form == ScriptModel::Form::kLoaded) return true;
  const auto chain = chain_of(*model);
  return chain &&
         std::ranges::any_of(*chain, [](const auto& link) { return link->model != nullptr; });
}

std::optional<NetworkText> network_text(ScriptReader& reader, ScriptModel& model,
                                        const std::optional<RowsAsTheyAre>& rows) {
  const auto chain = chain_of(model);
  if (!model.trained_file.empty()) return goes_on(model, chain ? &*chain : nullptr);
  if (model.form == ScriptModel::Form::kLoaded) {
    NetworkText text;
    text.from = model.file;
    if (!model.trainable.value_or(true)) {
      text.freeze = "*";
      model.frozen.insert("*");
    }
    return text;
  }
  NetworkText text;
  if (chain) {
    for (const auto& link : *chain)
      if (link->model) return from_file(reader, model, *chain);
    const std::vector<ScriptLayer> layers = with_input(model, *chain, rows);
    if (layers.empty() || (layers.size() == 1 && layers[0].is_input())) {
      reader.unread(model.line, "this network has no layers", true);
      return std::nullopt;
    }
    text.layers = joined(layers);
    const bool taken = is_taken(reader, model, [&] {
      const Network network = model_from_layers_text(text.layers);
      std::size_t at = network.layers().size();
      for (auto link = chain->rbegin(); link != chain->rend() && at > 0; ++link)
        if (!(*link)->is_input()) model.names[*link] = network.layers()[--at]->name();
    });
    if (!taken) return std::nullopt;
    for (const auto& link : *chain) tell_trained(reader, model, *link);
  } else {
    Json json = graph_json(reader, model, rows, model.names);
    if (json.is_null()) return std::nullopt;
    text.model_json = json.dump(1) + "\n";
    if (!is_taken(reader, model, [&] { model_from_json_text(text.model_json); }))
      return std::nullopt;
    for (const auto& [layer, name] : model.names) tell_trained(reader, model, *layer);
  }
  const std::vector<std::string> frozen = frozen_names(model);
  model.frozen = {frozen.begin(), frozen.end()};
  return text;
}

}  // namespace lockstep
