#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/keras_major.hpp"
#include "src/core/keras_object.hpp"
#include "src/core/number_range.hpp"
#include "src/core/problems.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

/// A config as Keras writes it (of a layer, a loss, an optimizer, ...), read key by key; finish()
/// then refuses what nobody asked for, so that nothing in a config is dropped, and throws all that
/// was wrong as one ProblemsError: until then a wrong value counts as the fallback. Problems name
/// the place of the key, be it a path in JSON or a column of a text, what was expected and what was
/// found. A value that is null counts as missing.
class KerasConfig {
 public:
  static constexpr std::int64_t kMaxInteger = std::int64_t{1} << 53;

  /// The place of a key in words: "model JSON: config.layers[2] (dense_1): units". An empty key
  /// means the place of the whole config.
  using Locate = std::function<std::string(const std::string& key)>;

  /// `config` must be an object and outlive this. Errors have the given exit code.
  KerasConfig(const nlohmann::ordered_json& config, Locate locate,
              ExitCode code = ExitCode::kBadData);

  /// nullptr if the key is missing or its value is null.
  const nlohmann::ordered_json* find(const std::string& key);
  /// The key is there, and null: where that does not mean the default.
  bool is_null(const std::string& key) const {
    const auto entry = config_->find(key);
    return entry != config_->end() && entry->is_null();
  }

  /// Keras also writes 100.0 where it means 100.
  std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high);
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  /// A list of integers, or one alone.
  std::vector<std::int64_t> integers(const std::string& key, std::int64_t low, std::int64_t high);
  double number(const std::string& key, const NumberRange& range = kAnyNumber);
  double number(const std::string& key, double fallback, const NumberRange& range = kAnyNumber);
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key, const std::string& fallback);
  /// One of a few words.
  std::string word(const std::string& key, const std::string& fallback,
                   std::initializer_list<const char*> words);
  /// A name that files can hold: not empty, of at most 10000 bytes, without control characters, no
  /// component between slashes empty or ".". `fallback` if missing.
  std::string name(const std::string& key, const std::string& fallback);
  /// A list of positive extents (Reshape: -1 is allowed too).
  Shape shape(const std::string& key, bool with_unknown);
  /// A shape with the batch axis in front: null, or the batch size that Keras 3 happened to build
  /// for; both are dropped. Another null becomes -1. Nothing if the key is missing or null.
  std::optional<Shape> batch_shape(const std::string& key);
  /// The batch size in front of such a shape, for layers that need it; nothing if it is null.
  std::optional<std::int64_t> batch_size(const std::string& key);

  /// Lets these keys pass, whatever their values.
  void ignore(std::initializer_list<const char*> keys);
  /// Lets a key pass if it is missing, null or equal to `only`.
  void expect(const std::string& key, const nlohmann::ordered_json& only);
  void expect_one_of(const std::string& key, std::initializer_list<nlohmann::ordered_json> values);
  /// The same, where another value changes nothing but training: see training_problems().
  void expect_for_training(const std::string& key, const nlohmann::ordered_json& only);
  /// The dtype, by name or by Keras's policy object, must be a floating one; if it is another than
  /// float32, that is noted: the network computes in float32.
  void expect_float();
  /// The dtype must be float32.
  void expect_float32();

  /// What `make` returns; an error in it becomes a problem of the key, and the result is empty.
  template <class Make>
  auto convert(const std::string& key, const Make& make) -> decltype(make()) {
    try {
      return make();
    } catch (const std::exception& error) {
      if (!is_about_values(error)) throw;
      problems_.add(place(key), without_where(error));
    }
    return decltype(make())();
  }

  /// Throws all problems, among them each key that was never asked for, unless its value is null or
  /// false.
  void finish();
  /// Throws the problems that there are so far.
  void throw_if_any() const { problems_.throw_if_any(code_); }

  /// Adds a problem.
  void object_to(const std::string& key, const std::string& expected, const std::string& found);
  /// The same, and throws all problems now.
  [[noreturn]] void refuse(const std::string& key, const std::string& expected,
                           const std::string& found);
  std::string place(const std::string& key) const;

  /// What only training needs, and Lockstep lacks.
  const Problems& training_problems() const { return training_problems_; }
  /// Which Keras wrote the config.
  KerasMajor keras() const { return keras_; }
  void set_keras(KerasMajor keras) { keras_ = keras; }
  /// The name of a dtype that is not float32, if there is one.
  const std::string& foreign_dtype() const { return foreign_dtype_; }

 private:
  static bool is_about_values(const std::exception& error);
  const nlohmann::ordered_json* find_dtype();
  std::optional<std::vector<nlohmann::ordered_json>> list(const std::string& key);
  std::optional<std::int64_t> extent(const std::string& key, const nlohmann::ordered_json& value,
                                     bool with_unknown);

  const nlohmann::ordered_json* config_;
  Locate locate_;
  ExitCode code_;
  KerasMajor keras_ = KerasMajor::k3;
  Problems problems_;
  Problems training_problems_;
  std::string foreign_dtype_;
  std::vector<std::string> asked_;
};

/// The places in the config of something that is named: "[adam] beta_1".
KerasConfig::Locate settings_of(std::string_view name);

}  // namespace lockstep
