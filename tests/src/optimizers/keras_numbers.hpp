#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace lockstep::test {

/// What tests/reference/keras_optimizers.py wrote.
inline const nlohmann::ordered_json& keras_numbers() {
  static const nlohmann::ordered_json numbers = [] {
    std::ifstream file(std::string(LOCKSTEP_SOURCE_DIR) + "/tests/reference/keras_optimizers.json");
    return nlohmann::ordered_json::parse(file);
  }();
  return numbers;
}

}  // namespace lockstep::test
