#include "src/core/keras_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "src/core/printable.hpp"
#include "src/core/words.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kMaxExtent = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMaxRank = 32;
constexpr std::size_t kMaxName = 10000;

/// Nothing unless the value is an integer of 63 bits and a sign.
std::optional<std::int64_t> as_integer(const ordered_json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    constexpr auto kMax = static_cast<double>(KerasConfig::kMaxInteger);
    if (!(std::abs(number) <= kMax) || std::trunc(number) != number) return {};
    return static_cast<std::int64_t>(number);
  }
  if (!value.is_number_integer()) return {};
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > kMax) return {};
  return value.get<std::int64_t>();
}

bool has_control_characters(const std::string& text) {
  return std::ranges::any_of(text, [](char letter) {
    return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
  });
}

bool is_storable(const std::string& name) {
  for (std::size_t first = 0; first <= name.size();) {
    const std::size_t end = std::min(name.find('/', first), name.size());
    const std::string component = name.substr(first, end - first);
    if (component.empty() || component == ".") return false;
    first = end + 1;
  }
  // The group in which Keras keeps the weights that belong to no layer.
  return name != "top_level_model_weights";
}

bool is_float_policy(const ordered_json& name) {
  static constexpr std::array kPolicies = {"float32",  "float64",       "float16",
                                           "bfloat16", "mixed_float16", "mixed_bfloat16"};
  return std::ranges::any_of(kPolicies, [&](const char* known) { return name == known; });
}

}  // namespace

KerasConfig::KerasConfig(const ordered_json& config, Locate locate, ExitCode code)
    : config_(&config), locate_(std::move(locate)), code_(code) {
  if (!config.is_object()) refuse("", "an object", describe(config));
}

std::string KerasConfig::place(const std::string& key) const {
  return locate_(printable(key, 80));
}

bool KerasConfig::is_about_values(const std::exception& error) {
  return dynamic_cast<const Error*>(&error) != nullptr ||
         dynamic_cast<const nlohmann::json::exception*>(&error) != nullptr;
}

void KerasConfig::object_to(const std::string& key, const std::string& expected,
                            const std::string& found) {
  problems_.add(place(key), fmt::format("expected {}, got {}", expected, found));
}

void KerasConfig::refuse(const std::string& key, const std::string& expected,
                         const std::string& found) {
  object_to(key, expected, found);
  throw ProblemsError(code_, problems_);
}

const ordered_json* KerasConfig::find(const std::string& key) {
  asked_.push_back(key);
  const auto entry = config_->find(key);
  return entry == config_->end() || entry->is_null() ? nullptr : &*entry;
}

std::int64_t KerasConfig::integer(const std::string& key, std::int64_t low, std::int64_t high) {
  const ordered_json* value = find(key);
  const auto number = value ? as_integer(*value) : std::nullopt;
  if (number && *number >= low && *number <= high) return *number;
  object_to(key,
            high == kMaxInteger ? fmt::format("an integer of at least {}", low)
                                : fmt::format("an integer from {} to {}", low, high),
            value ? describe(*value) : "nothing");
  return low;
}

std::int64_t KerasConfig::integer(const std::string& key, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high) {
  return find(key) ? integer(key, low, high) : fallback;
}

std::vector<std::int64_t> KerasConfig::integers(const std::string& key, std::int64_t low,
                                                std::int64_t high) {
  if (const ordered_json* value = find(key); value && value->is_number())
    return {integer(key, low, high)};
  std::vector<std::int64_t> integers;
  for (const ordered_json& value : list(key).value_or(std::vector<ordered_json>())) {
    const auto number = as_integer(value);
    if (number && *number >= low && *number <= high) {
      integers.push_back(*number);
    } else {
      object_to(key, fmt::format("integers from {} to {}", low, high), describe(value));
    }
  }
  return integers;
}

double KerasConfig::number(const std::string& key, const NumberRange& range) {
  const ordered_json* value = find(key);
  if (value && value->is_number() && range.contains(value->get<double>()))
    return value->get<double>();
  object_to(key, range.words, value ? describe(*value) : "nothing");
  return 0;
}

double KerasConfig::number(const std::string& key, double fallback, const NumberRange& range) {
  return find(key) ? number(key, range) : fallback;
}

bool KerasConfig::boolean(const std::string& key, bool fallback) {
  const ordered_json* value = find(key);
  if (value && !value->is_boolean()) object_to(key, "true or false", describe(*value));
  return value && value->is_boolean() ? value->get<bool>() : fallback;
}

std::string KerasConfig::text(const std::string& key, const std::string& fallback) {
  const ordered_json* value = find(key);
  if (value && !value->is_string()) object_to(key, "text", describe(*value));
  return value && value->is_string() ? value->get<std::string>() : fallback;
}

std::string KerasConfig::word(const std::string& key, const std::string& fallback,
                              std::initializer_list<const char*> words) {
  const ordered_json* value = find(key);
  if (!value) return fallback;
  for (const char* word : words)
    if (*value == word) return word;
  object_to(key, alternatives(std::vector<std::string>(words.begin(), words.end())),
            describe(*value));
  return fallback;
}

std::string KerasConfig::name(const std::string& key, const std::string& fallback) {
  const ordered_json* value = find(key);
  if (!value) return fallback;
  const std::string text = value->is_string() ? value->get<std::string>() : "";
  if (text.empty() || has_control_characters(text)) {
    object_to(key, "a name without control characters", describe(*value));
  } else if (text.size() > kMaxName) {
    object_to(key, fmt::format("a name of at most {} bytes", kMaxName), describe(*value));
  } else if (!is_storable(text)) {
    object_to(key, "a name that can stand in a path of HDF5 (no empty or '.' component)",
              describe(*value));
  } else {
    return text;
  }
  return fallback;
}

std::optional<std::vector<ordered_json>> KerasConfig::list(const std::string& key) {
  const ordered_json* value = find(key);
  const ordered_json* items = value;
  // How Keras writes a tuple where JSON has only lists.
  if (value && value->is_object() && value->contains("items")) items = &value->at("items");
  if (!items || !items->is_array()) {
    object_to(key, "a list of integers", value ? describe(*value) : "nothing");
    return {};
  }
  if (items->size() > kMaxRank) {
    object_to(key, fmt::format("at most {} axes", kMaxRank), std::to_string(items->size()));
    return {};
  }
  return std::vector<ordered_json>(items->begin(), items->end());
}

std::optional<std::int64_t> KerasConfig::extent(const std::string& key, const ordered_json& value,
                                                bool with_unknown) {
  const auto number = as_integer(value);
  if (number && with_unknown && *number == -1) return -1;
  if (number && *number >= 1 && *number <= kMaxExtent) return number;
  object_to(key, fmt::format("extents from 1 to {}{}", kMaxExtent, with_unknown ? ", or -1" : ""),
            describe(value));
  return {};
}

Shape KerasConfig::shape(const std::string& key, bool with_unknown) {
  Shape shape;
  for (const ordered_json& value : list(key).value_or(std::vector<ordered_json>()))
    if (const auto number = extent(key, value, with_unknown)) shape.push_back(*number);
  return shape;
}

std::optional<Shape> KerasConfig::batch_shape(const std::string& key) {
  if (!find(key)) return {};
  const auto values = list(key);
  if (!values) return {};
  if (values->empty()) {
    object_to(key, "a shape with a batch axis in front", "[]");
    return {};
  }
  if (!values->front().is_null() && !extent(key, values->front(), false)) return {};
  Shape shape;
  for (std::size_t i = 1; i < values->size(); ++i) {
    const ordered_json& value = (*values)[i];
    const auto number =
        value.is_null() ? std::optional<std::int64_t>(-1) : extent(key, value, false);
    if (!number) return {};
    shape.push_back(*number);
  }
  if (std::ranges::find(shape, -1) != shape.end()) return shape;
  if (convert(key, [&] { return std::optional(element_count(shape)); })) return shape;
  return {};
}

std::optional<std::int64_t> KerasConfig::batch_size(const std::string& key) {
  if (!find(key)) return {};
  const auto values = list(key);
  if (!values || values->empty() || values->front().is_null()) return {};
  return extent(key, values->front(), false);
}

void KerasConfig::ignore(std::initializer_list<const char*> keys) {
  asked_.insert(asked_.end(), keys.begin(), keys.end());
}

void KerasConfig::expect(const std::string& key, const ordered_json& only) {
  expect_one_of(key, {only});
}

void KerasConfig::expect_one_of(const std::string& key,
                                std::initializer_list<ordered_json> values) {
  const ordered_json* value = find(key);
  if (!value || std::ranges::find(values, *value) != values.end()) return;
  std::vector<std::string> texts;
  for (const ordered_json& each : values) texts.push_back(describe(each));
  object_to(key, alternatives(texts), describe(*value));
}

void KerasConfig::expect_for_training(const std::string& key, const ordered_json& only) {
  const ordered_json* value = find(key);
  if (value && *value != only)
    training_problems_.add(place(key),
                           fmt::format("expected {}, got {}", describe(only), describe(*value)));
}

const ordered_json* KerasConfig::find_dtype() {
  const ordered_json* value = find("dtype");
  const bool policy = value && value->is_object() && value->contains("config") &&
                      value->at("config").is_object() && value->at("config").contains("name");
  return policy ? &value->at("config").at("name") : value;
}

void KerasConfig::expect_float() {
  const ordered_json* name = find_dtype();
  if (name && !is_float_policy(*name)) {
    object_to("dtype", "a floating type or policy (float32, float64, mixed_float16, ...)",
              describe(*name));
  } else if (name && *name != "float32") {
    foreign_dtype_ = name->get<std::string>();
  }
}

void KerasConfig::expect_float32() {
  const ordered_json* name = find_dtype();
  if (name && *name != "float32") object_to("dtype", "'float32'", describe(*name));
}

void KerasConfig::finish() {
  for (const auto& [key, value] : config_->items()) {
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    if (value.is_null() || value == false) continue;
    problems_.add(place(key), fmt::format("expected no such key, got {}{}", describe(value),
                                          did_you_mean(key, asked_)));
  }
  problems_.throw_if_any(code_);
}

KerasConfig::Locate settings_of(std::string_view name) {
  return [where = fmt::format("[{}]", name)](const std::string& key) {
    return key.empty() ? where : where + " " + key;
  };
}

}  // namespace lockstep
