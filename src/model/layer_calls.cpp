#include "src/model/layer_calls.hpp"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "src/core/keras_config.hpp"
#include "src/core/keras_object.hpp"
#include "src/core/printable.hpp"

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
    for (const ordered_json& element : json) read_inputs(element, call);
  } else if (!json.is_null()) {
    call.arguments.push_back(describe(json));
  }
}

/// Arguments by name: tensors are inputs; null says nothing.
void read_arguments(const ordered_json& json, LayerCall& call) {
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) continue;
    if (key == "training" && value == false) {
      call.inference = true;
      continue;
    }
    LayerCall inner;
    read_inputs(value, inner);
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
    read_inputs(json.value("args", ordered_json()), call);
    read_arguments(arguments, call);
  } else {
    read_inputs(json, call);
  }
  return call;
}

}  // namespace

std::vector<LayerCall> read_layer_calls(const ordered_json& layer) {
  std::vector<LayerCall> calls;
  const ordered_json nodes =
      layer.is_object() ? layer.value("inbound_nodes", ordered_json()) : ordered_json();
  if (!nodes.is_array()) return calls;
  for (const ordered_json& node : nodes) calls.push_back(read_call(node));
  return calls;
}

std::vector<TensorName> read_ends(const ordered_json& ends) {
  LayerCall call;
  read_inputs(ends, call);
  return call.inputs;
}

std::string listed(const std::vector<TensorName>& tensors) {
  std::vector<std::string> shown;
  for (const TensorName& name : tensors) shown.push_back(printable(name.layer, 80));
  return fmt::format("{}", fmt::join(shown, ", "));
}

}  // namespace lockstep
