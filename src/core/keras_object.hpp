#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lockstep {

/// A value for a message: scalars and short lists as they are, an object by its class_name or its
/// keys; without control characters.
std::string describe(const nlohmann::ordered_json& value);

/// What Keras's JSON says of an initializer, a loss, an optimizer, ...
struct KerasObject {
  std::string name;  ///< "adam" or "Adam", without a package ("Custom>Adam"), printable
  nlohmann::ordered_json config;  ///< an object; empty if only the name was given
};

/// Reads "name", {"class_name", "config"} with the keys that Keras 3 adds ("module",
/// "registered_name", ...), or Keras 3's {"class_name": "function", "config": "name"}.
/// Throws Error (65), beginning with [where], for anything else.
KerasObject keras_object(const nlohmann::ordered_json& json, std::string_view where);

}  // namespace lockstep
