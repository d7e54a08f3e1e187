#include "src/model/constant_operations.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace lockstep {
namespace {

using nlohmann::ordered_json;

const ordered_json& at(const ordered_json& object, const char* key) {
  static const ordered_json kNothing;
  return object.is_object() && object.contains(key) ? object[key] : kNothing;
}

/// The tensor of a call, and the number before or behind it.
struct Operands {
  ordered_json tensor;
  double number = 0;
  bool number_first = false;
};

/// {"args": [tensor, 2.0], "kwargs": {}} of Keras 3.
std::optional<Operands> operands3(const ordered_json& node) {
  const ordered_json& arguments = at(node, "args");
  const ordered_json& more = at(node, "kwargs");
  if (!arguments.is_array() || arguments.size() != 2 || !(more.is_null() || more.empty()))
    return {};
  for (const std::size_t number : {1u, 0u})
    if (arguments[number].is_number() && arguments[1 - number].is_object())
      return Operands{arguments[1 - number], arguments[number].get<double>(), number == 0};
  return {};
}

/// ["x", 0, 0, {"y": 2.0, "name": null}] of Keras 2, or
/// ["_CONSTANT_VALUE", -1, 2.0, {"y": ["x", 0, 0], "name": null}].
std::optional<Operands> operands2(const ordered_json& node) {
  // A list of one such call, or itself.
  const ordered_json& call = node.is_array() && node.size() == 1 ? node[0] : node;
  if (!call.is_array() || call.size() != 4 || !call[3].is_object()) return {};
  for (const auto& [key, value] : call[3].items())
    if (key != "y" && !value.is_null()) return {};
  const ordered_json& other = at(call[3], "y");
  if (call[0] == "_CONSTANT_VALUE" && call[2].is_number() && other.is_array())
    return Operands{ordered_json::array({other}), call[2].get<double>(), true};
  if (call[0] == "_CONSTANT_VALUE" || !other.is_number()) return {};
  return Operands{ordered_json::array({ordered_json::array({call[0], call[1], call[2]})}),
                  other.get<double>(), false};
}

struct Scale {
  double scale, offset;
};

std::optional<Scale> scale_of(const std::string& operation, const Operands& operands) {
  const double number = operands.number;
  const std::string name = operation.substr(operation.rfind('.') + 1);
  if (name == "Add" || name == "add") return Scale{1, number};
  if (name == "Subtract" || name == "subtract")
    return operands.number_first ? Scale{-1, number} : Scale{1, -number};
  if (name == "Multiply" || name == "multiply") return Scale{number, 0};
  const bool divides = name == "TrueDivide" || name == "Divide" || name == "truediv";
  if (divides && !operands.number_first && number != 0) return Scale{1 / number, 0};
  return {};
}

}  // namespace

ordered_json as_rescaling(const ordered_json& layer) {
  const ordered_json& nodes = at(layer, "inbound_nodes");
  if (!nodes.is_array() || nodes.size() != 1) return layer;
  const bool old = at(layer, "class_name") == "TFOpLambda";
  const auto operands = nodes[0].is_object() ? operands3(nodes[0]) : operands2(nodes[0]);
  const ordered_json& operation =
      old ? at(at(layer, "config"), "function") : at(layer, "class_name");
  if (!operands || !operation.is_string()) return layer;
  const auto scale = scale_of(operation.get<std::string>(), *operands);
  if (!scale) return layer;
  ordered_json rescaling = {{"class_name", "Rescaling"},
                            {"config",
                             {{"name", at(at(layer, "config"), "name")},
                              {"scale", scale->scale},
                              {"offset", scale->offset}}},
                            {"name", at(layer, "name")}};
  rescaling["inbound_nodes"] =
      nodes[0].is_object()
          ? ordered_json::array({{{"args", ordered_json::array({operands->tensor})},
                                  {"kwargs", ordered_json::object()}}})
          : ordered_json::array({operands->tensor});
  return rescaling;
}

}  // namespace lockstep
