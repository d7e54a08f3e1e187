#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// Python's operators on constants: None, bools, numbers, strings. No value: not of these, or an
/// error in Python, too.
std::optional<nlohmann::ordered_json> python_binary(const std::string& op,
                                                    const nlohmann::ordered_json& left,
                                                    const nlohmann::ordered_json& right);
std::optional<nlohmann::ordered_json> python_unary(const std::string& op,
                                                   const nlohmann::ordered_json& of);
std::optional<bool> python_compare(const std::string& op, const nlohmann::ordered_json& left,
                                   const nlohmann::ordered_json& right);
bool python_truth(const nlohmann::ordered_json& of);
/// A function of module math, or of numpy by the same name: sqrt, ceil, floor, and pow of a whole
/// exponent.
std::optional<nlohmann::ordered_json> python_math(const std::string& name,
                                                  const std::vector<nlohmann::ordered_json>& of);

}  // namespace lockstep
