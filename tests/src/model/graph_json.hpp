#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

/// The JSON of functional models, as Keras 2 writes it.
namespace lockstep {

inline nlohmann::ordered_json input(const std::string& name, int width = 4) {
  return {{"class_name", "InputLayer"},
          {"config", {{"name", name}, {"batch_input_shape", {nullptr, width}}}},
          {"name", name},
          {"inbound_nodes", nlohmann::ordered_json::array()}};
}

inline nlohmann::ordered_json layer(
    const std::string& class_name, const std::string& name, const nlohmann::ordered_json& nodes,
    nlohmann::ordered_json config = nlohmann::ordered_json::object()) {
  config["name"] = name;
  return {{"class_name", class_name}, {"config", config}, {"name", name}, {"inbound_nodes", nodes}};
}

/// One call on tensors of calls: {{"a", 0}, {"b", 1}}.
inline nlohmann::ordered_json on(const std::vector<std::pair<std::string, int>>& inputs) {
  nlohmann::ordered_json node = nlohmann::ordered_json::array();
  for (const auto& [name, call] : inputs)
    node.push_back({name, call, 0, nlohmann::ordered_json::object()});
  return node;
}

inline nlohmann::ordered_json model_of(const nlohmann::ordered_json& layers,
                                       const std::string& output) {
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "model"},
            {"layers", layers},
            {"input_layers", {{"in", 0, 0}}},
            {"output_layers", {{output, 0, 0}}}}}};
}

}  // namespace lockstep
