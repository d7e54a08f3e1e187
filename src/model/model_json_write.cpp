#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/keras3_form.hpp"
#include "src/model/keras_order.hpp"
#include "src/model/model_json.hpp"
#include "src/model/model_layer.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// With the batch axis in front: null, but where stateful layers need its size.
ordered_json batched(const Shape& shape, const Network& model) {
  ordered_json json = ordered_json::array({nullptr});
  if (model.is_stateful() && model.batch_size() > 0) json[0] = model.batch_size();
  for (const std::int64_t extent : shape) json.push_back(extent);
  return json;
}

/// Keras 2's order of keys.
ordered_json input_layer_to_json(const Shape& shape, const std::string& name,
                                 const Network& model) {
  return {{"class_name", "InputLayer"},
          {"config",
           {{"batch_input_shape", batched(shape, model)},
            {"dtype", "float32"},
            {"sparse", false},
            {"ragged", false},
            {"name", name}}}};
}

/// In Keras 2's form, but for the calls in a model within it. `input`: a first layer's shape with
/// the batch axis in front, or null.
ordered_json layer_to_json(const Layer& layer, const ordered_json& input, KerasMajor form) {
  ordered_json config = {{"name", layer.name()}};
  if (!layer.is_never_trainable()) config["trainable"] = layer.trainable();
  config["dtype"] = "float32";
  if (!input.is_null() && !layer.is_never_trainable()) config["batch_input_shape"] = input;
  ordered_json own = layer.config();
  const ModelLayer* const model = model_within(layer);
  if (model && form == KerasMajor::k3) own["layer"]["config"].update(model->config_for(form));
  for (const auto& [key, value] : own.items()) config[key] = value;
  if (layer.activity_regularizer().active() && !layer.is_activity_regularization())
    config["activity_regularizer"] = layer.activity_regularizer().to_json();
  // An axis says it itself.
  if (layer.channels_first() && !config.contains("axis")) config["data_format"] = "channels_first";
  return {{"class_name", (layer.is_of_keras_hub() ? "keras_hub>" : "") + layer.class_name()},
          {"config", std::move(config)}};
}

/// Keras 2's name of the InputLayer that it puts in front of a layer.
std::string implied_input_name(const Network& model) {
  std::string name = model.layers().front()->name() + "_input";
  while (std::ranges::any_of(model.layers(), [&](const auto& l) { return l->name() == name; }))
    name += "_1";
  return name;
}

/// Keras 3 would not see the mask there: it passes none to a layer of several arguments.
bool has_mask_and_states(const Network& model, const Network::Call& call) {
  return !model.layers()[call.layer]->merges() && call.inputs.size() > 1 &&
         model.is_masked(call.inputs.front());
}

/// Of models within it, too.
void object_to_masks_and_states(const Network& model, Problems& problems) {
  for (const Network::Call& call : model.calls())
    if (has_mask_and_states(model, call) && !call.unmasked)
      problems.add(fmt::format("[{}]", printable(model.layers()[call.layer]->name())),
                   "expected a call with an initial state behind no mask for Keras 3's form of the "
                   "network, which ignores the mask there, got Keras 2's behind a mask");
  for (const auto& layer : model.layers())
    if (const ModelLayer* const inner = model_within(*layer))
      object_to_masks_and_states(inner->network(), problems);
}

/// Keras 3 would read another function there.
void expect_none_of_keras2_alone(const Network& model) {
  Problems problems;
  for (const auto& layer : model.layers())
    for (const Activation activation : layer->activations())
      if (is_only_of_keras(activation, KerasMajor::k2))
        problems.add(fmt::format("[{}]", printable(layer->name())),
                     fmt::format("expected activations that Keras 3 has for its form of the "
                                 "network, got Keras 2's {}",
                                 activation_name(activation)));
  object_to_masks_and_states(model, problems);
  problems.throw_if_any(ExitCode::kBadData);
}

/// Whether an activation means another function in the other Keras.
bool uses_only(const Network& model, KerasMajor keras) {
  return std::ranges::any_of(model.layers(), [&](const auto& layer) {
    return std::ranges::any_of(layer->activations(), [&](Activation activation) {
      return is_only_of_keras(activation, keras);
    });
  });
}

ordered_json sequential_to_json(const Network& model, const Shape& input, KerasMajor form) {
  ordered_json layers = ordered_json::array();
  std::size_t first = 0;
  if (dynamic_cast<const InputLayer*>(model.layers().front().get())) first = 1;
  layers.push_back(input_layer_to_json(
      input, first == 1 ? model.layers().front()->name() : implied_input_name(model), model));
  for (std::size_t i = first; i < model.layers().size(); ++i)
    layers.push_back(layer_to_json(*model.layers()[i],
                                   i == first ? batched(input, model) : ordered_json(), form));
  return {{"class_name", "Sequential"},
          {"config", {{"name", model.name()}, {"layers", std::move(layers)}}}};
}

/// An output of a layer: [name, number of the call among those of the layer, number].
ordered_json tensor_to_json(const Network& model, const Network::Output& output) {
  const std::string& name = model.layers()[model.calls()[output.call].layer]->name();
  return {name, model.call_number(output.call), output.number};
}

/// The tensors of a call, those of its initial state in lists as its layer wants them.
ordered_json in_lists(const Layer& layer, ordered_json tensors) {
  if (layer.merges() || tensors.size() < 2) return tensors;
  ordered_json lists = ordered_json::array({tensors[0]});
  std::size_t next = 1;
  for (const std::size_t count : layer.states()) {
    ordered_json list = ordered_json::array();
    for (std::size_t i = 0; i < count; ++i) list.push_back(std::move(tensors[next++]));
    lists.push_back(count == 1 ? std::move(list[0]) : std::move(list));
  }
  return lists;
}

/// As Keras 3 writes a call: Keras 2's form has no place for a second positional argument.
ordered_json call_to_json(const Network& model, const Network::Call& call) {
  const Layer& layer = *model.layers()[call.layer];
  ordered_json arguments = ordered_json::array();
  for (const Network::Output& input : call.inputs) {
    const ordered_json config = {{"shape", batched(model.shape_of(input), model)},
                                 {"dtype", "float32"},
                                 {"keras_history", tensor_to_json(model, input)}};
    arguments.push_back({{"class_name", "__keras_tensor__"}, {"config", config}});
  }
  ordered_json named = ordered_json::object();
  if (layer.merges()) {
    // A layer that merges takes one list.
    if (!layer.takes_causal_mask() || layer.takes_list())
      arguments = ordered_json::array({std::move(arguments)});
  } else if (arguments.size() > 1) {
    ordered_json states = in_lists(layer, std::move(arguments));
    arguments = ordered_json::array({std::move(states[0])});
    states.erase(0);
    named["initial_state"] = std::move(states);
  }
  if (call.causal) named["use_causal_mask"] = *call.causal;
  if (call.inference) named["training"] = false;
  ordered_json node = {{"args", std::move(arguments)}, {"kwargs", std::move(named)}};
  if (call.inference) node[kInference] = true;
  return node;
}

/// Every call of a layer: the tensors that it is applied to, with other arguments.
ordered_json calls_to_json(const Network& model, std::size_t layer, KerasMajor form) {
  ordered_json nodes = ordered_json::array();
  for (const Network::Call& call : model.calls()) {
    if (call.layer != layer || call.inputs.empty()) continue;
    const Layer& of_call = *model.layers()[layer];
    if (form == KerasMajor::k3 || (of_call.takes_causal_mask() && !of_call.takes_list()) ||
        (call.unmasked && has_mask_and_states(model, call))) {
      nodes.push_back(call_to_json(model, call));
      continue;
    }
    ordered_json node = ordered_json::array();
    for (const Network::Output& input : call.inputs) {
      ordered_json arguments = ordered_json::object();
      if (call.causal) arguments["use_causal_mask"] = *call.causal;
      if (call.inference) arguments["training"] = false;
      ordered_json tensor = tensor_to_json(model, input);
      tensor.push_back(std::move(arguments));
      node.push_back(std::move(tensor));
    }
    nodes.push_back(in_lists(of_call, std::move(node)));
  }
  return nodes;
}

ordered_json functional_to_json(const Network& model, KerasMajor form) {
  ordered_json layers = ordered_json::array();
  ordered_json inputs = ordered_json::array();
  ordered_json outputs = ordered_json::array();
  std::vector<std::size_t> order(model.layers().size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Keras 3 numbers the layers in its own order; so does who reads the list.
  if (form == KerasMajor::k3) order = keras_layer_order(model);
  for (const std::size_t i : order) {
    const Layer& layer = *model.layers()[i];
    const auto* input = dynamic_cast<const InputLayer*>(&layer);
    ordered_json json = input ? input_layer_to_json(input->shape(), layer.name(), model)
                              : layer_to_json(layer, ordered_json(), form);
    json["name"] = layer.name();
    json["inbound_nodes"] = calls_to_json(model, i, form);
    layers.push_back(std::move(json));
  }
  for (std::size_t i = 0; i < model.calls().size(); ++i)
    if (model.calls()[i].inputs.empty()) inputs.push_back(tensor_to_json(model, i));
  for (const Network::Output& output : model.outputs())
    outputs.push_back(tensor_to_json(model, output));
  return {{"class_name", "Functional"},
          {"config",
           {{"name", model.name()},
            {"trainable", true},
            {"layers", std::move(layers)},
            {"input_layers", std::move(inputs)},
            {"output_layers", std::move(outputs)}}},
          {kInOrder, true}};
}

}  // namespace

std::string keras_version(const Network& model) {
  return uses_only(model, KerasMajor::k3) ? "3.0.0" : "2.15.0";
}

ordered_json model_to_json(const Network& model, KerasMajor form) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(model.built(), ExitCode::kUsage, "[{}] expected build() before its JSON is written",
        model.name());
  if (form == KerasMajor::k3) expect_none_of_keras2_alone(model);
  ordered_json json = model.is_chain() ? sequential_to_json(model, model.input_shape(), form)
                                       : functional_to_json(model, form);
  if (form == KerasMajor::k3) return in_keras3_form(json);
  if (uses_only(model, KerasMajor::k2)) json["keras_version"] = keras_version(model);
  return json;
}

ordered_json inner_model_config(const Network& model, const Shape& input, KerasMajor form) {
  const ordered_json json =
      model.is_chain() ? sequential_to_json(model, input, form) : functional_to_json(model, form);
  ordered_json config = json["config"];
  if (json.contains(kInOrder)) config[kInOrder] = true;
  // One tensor each, and no list of one: so Keras 3 gives the model one.
  for (const char* key : {"input_layers", "output_layers"})
    if (config.contains(key)) config[key] = ordered_json(config[key].front());
  return config;
}

ordered_json keras3_model_config(const Network& model) {
  ordered_json json = model_to_json(model, KerasMajor::k3);
  if (model.compiled())
    json["compile_config"] = keras3_compile_config(training_config_to_json(model));
  return json;
}

}  // namespace lockstep
