#include "src/model/layer_calls.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "src/core/keras_config.hpp"
#include "src/core/keras_object.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// ["dense", 0, 0] or ["dense", 0, 0, {...}]: a layer's output, and what the call was given beside
/// it.
bool is_tensor(const ordered_json& json) {
  return json.is_array() && json.size() >= 3 && json[0].is_string() &&
         json[1].is_number_integer() && json[2].is_number_integer();
}

TensorName tensor(const ordered_json& json) {
  return {json[0].get<std::string>(), json[1].get<std::int64_t>(), json[2].get<std::int64_t>()};
}

void read_arguments(const ordered_json& json, LayerCall& call);

/// Keras 2's and 3's tensors, in lists of lists.
void read_inputs(const ordered_json& json, LayerCall& call) {
  if (is_tensor(json)) {
    call.inputs.push_back(tensor(json));
    if (json.size() > 3) read_arguments(json[3], call);
  } else if (json.is_object() && json.value("class_name", ordered_json()) == "__keras_tensor__") {
    const ordered_json config = json.value("config", ordered_json::object());
    const ordered_json history =
        config.is_object() ? config.value("keras_history", ordered_json()) : ordered_json();
    if (is_tensor(history)) call.inputs.push_back(tensor(history));
  } else if (json.is_array()) {
    bool none = false;
    for (const ordered_json& element : json) {
      // By place, it would be another argument than it becomes without the None before it.
      if (none && element.is_object()) call.arguments.push_back("a tensor behind None");
      none = none || element.is_null();
      read_inputs(element, call);
    }
  } else if (!json.is_null()) {
    call.arguments.push_back(describe(json));
  }
}

/// None, or the masks of several inputs of a model, none of which has one.
bool says_nothing(const ordered_json& json) {
  return json.is_null() || (json.is_array() && std::ranges::all_of(json, [](const auto& element) {
                              return says_nothing(element);
                            }));
}

/// Arguments by name: tensors are inputs.
void read_arguments(const ordered_json& json, LayerCall& call) {
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (says_nothing(value)) continue;
    if (key == "training" && value == false) {
      call.inference = true;
      continue;
    }
    if (key == "use_causal_mask" && value.is_boolean()) {
      call.causal = value.get<bool>();
      continue;
    }
    if (key == "return_attention_scores" && value == false) continue;
    LayerCall inner;
    read_inputs(value, inner);
    for (TensorName& input : inner.inputs) input.argument = key;
    call.inputs.insert(call.inputs.end(), inner.inputs.begin(), inner.inputs.end());
    if (inner.inputs.empty()) call.arguments.push_back(key + "=" + describe(value));
  }
}

LayerCall read_call(const ordered_json& json) {
  LayerCall call;
  if (json.is_object()) {
    // Keras 3 notes training=False for every Dropout, and never follows it when it trains.
    ordered_json arguments = json.value("kwargs", ordered_json());
    if (arguments.is_object()) arguments.erase("training");
    call.inference = json.value(kInference, ordered_json()) == true;
    read_inputs(json.value("args", ordered_json()), call);
    read_arguments(arguments, call);
  } else {
    read_inputs(json, call);
  }
  return call;
}

/// The inputs of a layer whose call names them, in the order of its arguments.
void order_inputs(const std::vector<std::string>& names, LayerCall& call) {
  std::vector<std::optional<TensorName>> ordered(names.size());
  std::size_t next = 0;
  for (const TensorName& input : call.inputs) {
    const auto found = std::ranges::find(names, input.argument);
    const auto at =
        input.argument.empty() ? next++ : static_cast<std::size_t>(found - names.begin());
    if (at < ordered.size() && !ordered[at])
      ordered[at] = input;
    else
      call.arguments.push_back(input.argument + "=" + printable(input.layer, 80));
  }
  call.inputs.clear();
  for (std::size_t at = 0; at < ordered.size(); ++at) {
    if (!ordered[at]) continue;
    if (call.inputs.size() < at) call.arguments.push_back(names[at] + " without " + names[at - 1]);
    call.inputs.push_back(*ordered[at]);
  }
}

/// Of a recurrent layer, whose states come behind its input: those alone may be named.
void put_states_behind(LayerCall& call) {
  std::vector<TensorName> inputs, states;
  for (TensorName& input : call.inputs) {
    const std::string& argument = input.argument;
    if (argument == "initial_state")
      states.push_back(std::move(input));
    else if (argument.empty() || argument == "sequences" || argument == "inputs")
      inputs.push_back(std::move(input));
    else
      call.arguments.push_back(argument + "=" + printable(input.layer, 80));
  }
  inputs.insert(inputs.end(), states.begin(), states.end());
  call.inputs = std::move(inputs);
}

bool has_states(const std::string& class_name) {
  static constexpr std::array kClasses = {"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"};
  return std::ranges::find(kClasses, class_name) != kClasses.end();
}

/// The arguments of a class that are inputs, if there are several.
std::vector<std::string> input_arguments(const std::string& class_name) {
  if (class_name == "MultiHeadAttention" || class_name == "GroupQueryAttention" ||
      class_name == "GroupedQueryAttention")
    return {"query", "value", "key"};
  return {};
}

}  // namespace

std::vector<LayerCall> read_layer_calls(const ordered_json& layer) {
  std::vector<LayerCall> calls;
  const ordered_json nodes =
      layer.is_object() ? layer.value("inbound_nodes", ordered_json()) : ordered_json();
  if (!nodes.is_array()) return calls;
  const ordered_json class_name = layer.value("class_name", ordered_json());
  const std::string its_class = class_name.is_string() ? class_name.get<std::string>() : "";
  const std::vector<std::string> names = input_arguments(its_class);
  for (const ordered_json& node : nodes) {
    calls.push_back(read_call(node));
    if (!names.empty()) order_inputs(names, calls.back());
    if (!has_states(its_class)) continue;
    put_states_behind(calls.back());
    calls.back().unmasked = node.is_object() && calls.back().inputs.size() > 1;
  }
  return calls;
}

std::vector<TensorName> read_ends(const ordered_json& ends) {
  LayerCall call;
  if (ends.is_object() && !ends.contains("class_name"))
    for (const ordered_json& end : ends) read_inputs(end, call);
  else
    read_inputs(ends, call);
  return call.inputs;
}

std::string listed(const std::vector<TensorName>& tensors) {
  std::vector<std::string> shown;
  for (const TensorName& name : tensors) shown.push_back(printable(name.layer, 80));
  return fmt::format("{}", fmt::join(shown, ", "));
}

}  // namespace lockstep
