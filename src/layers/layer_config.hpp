#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

/// A value for a message: scalars and short lists as they are, an object by its class_name; without
/// control characters.
std::string describe(const nlohmann::ordered_json& value);

/// What an error says behind its "[where] ", printable.
std::string without_where(const std::exception& error);

/// A layer's config as Keras writes it, read key by key; finish() then refuses what nobody asked
/// for, so that nothing in a config is dropped. Errors name the place of the key, be it a path in
/// JSON or a column of a text, what was expected and what was found.
class LayerConfig {
 public:
  /// The place of a key in words: "model JSON: config.layers[2] (dense_1): units". An empty key
  /// means the place of the whole config.
  using Locate = std::function<std::string(const std::string& key)>;

  /// `config` must be an object and outlive this. Errors have the given exit code.
  LayerConfig(const nlohmann::ordered_json& config, Locate locate, ExitCode code);

  /// nullptr if the key is missing or its value is null.
  const nlohmann::ordered_json* find(const std::string& key);

  std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high);
  double number(const std::string& key);
  double number(const std::string& key, double fallback);
  bool boolean(const std::string& key, bool fallback);
  /// Without control characters, not empty; `fallback` if missing.
  std::string name(const std::string& key, const std::string& fallback);
  /// A list of positive extents (Reshape: -1 is allowed too).
  Shape shape(const std::string& key, bool with_unknown);
  /// A shape with the batch axis in front: null, or the batch size that Keras 3 happened to build
  /// for; both are dropped. Nothing if the key is missing or null.
  std::optional<Shape> batch_shape(const std::string& key);

  /// Lets these keys pass, whatever their values.
  void ignore(std::initializer_list<const char*> keys);
  /// Lets a key pass if it is missing, null or equal to `only`.
  void expect(const std::string& key, const nlohmann::ordered_json& only);
  /// The dtype must be float32, as a name or as Keras's policy object.
  void expect_float32();

  /// Calls `make`; an error in it gets the place of the key and this config's exit code.
  template <class Make>
  auto convert(const std::string& key, const Make& make) const {
    try {
      return make();
    } catch (const Error& error) {
      fail(code_, "{}: {}", place(key), without_where(error));
    } catch (const nlohmann::json::exception& error) {
      fail(code_, "{}: {}", place(key), without_where(error));
    }
  }

  /// Throws for a key that was never asked for, unless its value is null or false.
  void finish() const;

  [[noreturn]] void refuse(const std::string& key, const std::string& expected,
                           const std::string& found) const;
  std::string place(const std::string& key) const;

 private:
  std::vector<nlohmann::ordered_json> list(const std::string& key);
  std::int64_t extent(const std::string& key, const nlohmann::ordered_json& value,
                      bool with_unknown) const;

  const nlohmann::ordered_json* config_;
  Locate locate_;
  ExitCode code_;
  std::vector<std::string> asked_;
};

}  // namespace lockstep
