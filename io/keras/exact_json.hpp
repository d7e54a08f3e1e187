#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "io/keras/history.hpp"

namespace lockstep {

/// Numbers in JSON without losing a bit, infinities and NaN included (JSON itself has none):
/// doubles as C hexadecimal floats ("0x1.8p+1"), float arrays as hexadecimal text, 8 digits each.
nlohmann::ordered_json exact_json(double value);
double exact_double(const nlohmann::ordered_json& json);
nlohmann::ordered_json exact_json(std::span<const float> values);
std::vector<float> exact_floats(const nlohmann::ordered_json& json);

nlohmann::ordered_json history_to_json(const History& history);
History history_from_json(const nlohmann::ordered_json& json);

}  // namespace lockstep
