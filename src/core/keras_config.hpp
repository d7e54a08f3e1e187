#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// JSON as it may stand in a message: on one line, ASCII, cut if it is long.
std::string short_text(const nlohmann::ordered_json& json);

/// What Keras's JSON says of an initializer, a loss, an optimizer, ...
struct KerasObject {
  std::string name;  ///< "adam" or "Adam", without a package ("Custom>Adam"), printable
  nlohmann::ordered_json config;  ///< an object; empty if only the name was given
};

/// Reads "name", {"class_name", "config"} with the keys that Keras 3 adds ("module",
/// "registered_name", ...), or Keras 3's {"class_name": "function", "config": "name"}.
/// Throws Error (65), beginning with [where], for anything else.
KerasObject keras_object(const nlohmann::ordered_json& json, std::string_view where);

/// Reads the settings of a Keras object by name. All errors are 65, begin with [where], name the
/// setting and show what was found. Settings that nobody asked for are refused by finish().
/// Holds a reference to the config.
class ConfigReader {
 public:
  ConfigReader(std::string where, const nlohmann::ordered_json& config);

  /// The setting's value, or null if it is absent.
  const nlohmann::ordered_json* find(std::string_view key);
  /// The setting's value; it must be there.
  const nlohmann::ordered_json& require(std::string_view key);

  double number(std::string_view key, std::optional<double> absent = std::nullopt);
  std::int64_t integer(std::string_view key, std::optional<std::int64_t> absent = std::nullopt);
  bool flag(std::string_view key, bool absent);
  std::string text(std::string_view key, std::string_view absent);  ///< printable

  /// Settings that do not change the numbers: any value will do.
  void ignore(std::initializer_list<std::string_view> keys);
  /// A setting that Lockstep has only in these values.
  void only(std::string_view key, std::initializer_list<nlohmann::ordered_json> values);
  /// "dtype": absent, null, "float32", or a policy of that name.
  void only_float32();

  /// Refuses the settings that were not read.
  void finish() const;

  const std::string& where() const { return where_; }

 private:
  std::string where_;
  const nlohmann::ordered_json& config_;
  std::vector<std::string> read_;
};

}  // namespace lockstep
