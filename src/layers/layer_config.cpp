#include "src/layers/layer_config.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kMaxExtent = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMaxRank = 32;

/// Nothing unless the value is an integer of 63 bits and a sign.
std::optional<std::int64_t> as_integer(const ordered_json& value) {
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

}  // namespace

std::string describe(const ordered_json& value) {
  if (value.is_string()) return "'" + printable(value.get_ref<const std::string&>(), 80) + "'";
  if (value.is_object()) {
    const auto name = value.find("class_name");
    return name != value.end() && name->is_string()
               ? printable(name->get_ref<const std::string&>(), 80)
               : "an object";
  }
  if (value.is_array()) {
    const bool brief = value.size() <= 8 && std::ranges::none_of(value, [](const auto& element) {
                         return element.is_structured();
                       });
    if (!brief) return fmt::format("a list of {}", value.size());
    std::string text;
    for (const ordered_json& element : value)
      text += (text.empty() ? "" : ", ") + describe(element);
    return "[" + text + "]";
  }
  return value.dump();
}

std::string without_where(const std::exception& error) {
  const std::string text = error.what();
  const std::size_t end = text.starts_with('[') ? text.find("] ") : std::string::npos;
  return printable(end == std::string::npos ? text : text.substr(end + 2));
}

LayerConfig::LayerConfig(const ordered_json& config, Locate locate, ExitCode code)
    : config_(&config), locate_(std::move(locate)), code_(code) {
  if (!config.is_object()) refuse("", "an object", describe(config));
}

std::string LayerConfig::place(const std::string& key) const {
  return locate_(printable(key, 80));
}

void LayerConfig::refuse(const std::string& key, const std::string& expected,
                         const std::string& found) const {
  fail(code_, "{}: expected {}, got {}", place(key), expected, found);
}

const ordered_json* LayerConfig::find(const std::string& key) {
  asked_.push_back(key);
  const auto entry = config_->find(key);
  return entry == config_->end() || entry->is_null() ? nullptr : &*entry;
}

std::int64_t LayerConfig::integer(const std::string& key, std::int64_t low, std::int64_t high) {
  const ordered_json* value = find(key);
  const auto number = value ? as_integer(*value) : std::nullopt;
  if (!number || *number < low || *number > high)
    refuse(key, fmt::format("an integer from {} to {}", low, high),
           value ? describe(*value) : "nothing");
  return *number;
}

double LayerConfig::number(const std::string& key) {
  const ordered_json* value = find(key);
  if (!value || !value->is_number() || !std::isfinite(value->get<double>()))
    refuse(key, "a number", value ? describe(*value) : "nothing");
  return value->get<double>();
}

double LayerConfig::number(const std::string& key, double fallback) {
  return find(key) ? number(key) : fallback;
}

bool LayerConfig::boolean(const std::string& key, bool fallback) {
  const ordered_json* value = find(key);
  if (value && !value->is_boolean()) refuse(key, "true or false", describe(*value));
  return value ? value->get<bool>() : fallback;
}

std::string LayerConfig::name(const std::string& key, const std::string& fallback) {
  const ordered_json* value = find(key);
  if (!value) return fallback;
  if (!value->is_string() || value->get_ref<const std::string&>().empty() ||
      has_control_characters(*value))
    refuse(key, "a name without control characters", describe(*value));
  return value->get<std::string>();
}

std::vector<ordered_json> LayerConfig::list(const std::string& key) {
  const ordered_json* value = find(key);
  if (!value) refuse(key, "a list of integers", "nothing");
  const ordered_json* items = value;
  // How Keras writes a tuple where JSON has only lists.
  if (value->is_object() && value->contains("items")) items = &value->at("items");
  if (!items->is_array()) refuse(key, "a list of integers", describe(*value));
  if (items->size() > kMaxRank)
    refuse(key, fmt::format("at most {} axes", kMaxRank), std::to_string(items->size()));
  return {items->begin(), items->end()};
}

std::int64_t LayerConfig::extent(const std::string& key, const ordered_json& value,
                                 bool with_unknown) const {
  const auto number = as_integer(value);
  if (number && with_unknown && *number == -1) return -1;
  if (!number || *number < 1 || *number > kMaxExtent)
    refuse(key, fmt::format("extents from 1 to {}{}", kMaxExtent, with_unknown ? ", or -1" : ""),
           describe(value));
  return *number;
}

Shape LayerConfig::shape(const std::string& key, bool with_unknown) {
  Shape shape;
  for (const ordered_json& value : list(key)) shape.push_back(extent(key, value, with_unknown));
  return shape;
}

std::optional<Shape> LayerConfig::batch_shape(const std::string& key) {
  if (!find(key)) return {};
  const std::vector<ordered_json> values = list(key);
  if (values.empty()) refuse(key, "a shape with a batch axis in front", "[]");
  if (!values.front().is_null()) extent(key, values.front(), false);
  Shape shape;
  for (std::size_t i = 1; i < values.size(); ++i) shape.push_back(extent(key, values[i], false));
  convert(key, [&] { return element_count(shape); });
  return shape;
}

void LayerConfig::ignore(std::initializer_list<const char*> keys) {
  asked_.insert(asked_.end(), keys.begin(), keys.end());
}

void LayerConfig::expect(const std::string& key, const ordered_json& only) {
  const ordered_json* value = find(key);
  if (value && *value != only) refuse(key, describe(only), describe(*value));
}

void LayerConfig::expect_float32() {
  const ordered_json* value = find("dtype");
  if (!value) return;
  const ordered_json* name = value;
  if (value->is_object() && value->contains("config") && value->at("config").is_object() &&
      value->at("config").contains("name"))
    name = &value->at("config").at("name");
  if (*name != "float32") refuse("dtype", "float32", describe(*name));
}

void LayerConfig::finish() const {
  for (const auto& [key, value] : config_->items()) {
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    if (value.is_null() || value == false) continue;
    fail(code_, "{}: expected no such key, got {}{}", place(key), describe(value),
         did_you_mean(key, asked_));
  }
}

}  // namespace lockstep
