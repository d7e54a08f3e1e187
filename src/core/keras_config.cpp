#include "src/core/keras_config.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

std::string without_package(const std::string& name) {
  const std::size_t end = name.rfind('>') + 1;
  return printable(end == name.size() ? name : name.substr(end));  // "<lambda>" has none
}

}  // namespace

std::string short_text(const Json& json) {
  constexpr std::size_t kLongest = 60;
  // Bytes that are no UTF-8 must not turn an error message into another error.
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

KerasObject keras_object(const Json& json, std::string_view where) {
  if (json.is_string()) return {without_package(json.get<std::string>()), Json::object()};
  const bool has_class = json.is_object() && json.contains("class_name");
  check(has_class && json["class_name"].is_string(), ExitCode::kBadData,
        "[{}] expected a name or {{\"class_name\", \"config\"}}, got {}", where, short_text(json));
  for (const auto& item : json.items()) {
    static constexpr std::string_view kKnown[] = {
        "class_name", "config", "module", "registered_name", "build_config", "shared_object_id"};
    check(std::ranges::find(kKnown, item.key()) != std::end(kKnown), ExitCode::kBadData,
          "[{}] expected only the keys {}, got \"{}\"", where, fmt::join(kKnown, ", "),
          printable(item.key()));
  }
  const std::string class_name = json["class_name"].get<std::string>();
  const Json config = json.value("config", Json::object());
  if (class_name == "function" && config.is_string())
    return {without_package(config.get<std::string>()), Json::object()};
  check(config.is_object() || config.is_null(), ExitCode::kBadData,
        "[{}] expected the config of \"{}\" to be an object, got {}", where, printable(class_name),
        short_text(config));
  return {without_package(class_name), config.is_null() ? Json::object() : config};
}

ConfigReader::ConfigReader(std::string where, const Json& config)
    : where_(std::move(where)), config_(config) {}

const Json* ConfigReader::find(std::string_view key) {
  read_.emplace_back(key);
  const auto found = config_.find(read_.back());
  return found == config_.end() ? nullptr : &*found;
}

const Json& ConfigReader::require(std::string_view key) {
  const Json* value = find(key);
  check(value != nullptr, ExitCode::kBadData, "[{}] expected the setting \"{}\", got {}", where_,
        key, short_text(config_));
  return *value;
}

double ConfigReader::number(std::string_view key, std::optional<double> absent) {
  const Json* value = absent ? find(key) : &require(key);
  if (value == nullptr) return *absent;
  check(value->is_number(), ExitCode::kBadData, "[{}] expected \"{}\" to be a number, got {}",
        where_, key, short_text(*value));
  return value->get<double>();
}

std::int64_t ConfigReader::integer(std::string_view key, std::optional<std::int64_t> absent) {
  const Json* value = absent ? find(key) : &require(key);
  if (value == nullptr) return *absent;
  // Keras also writes 100.0 where it means 100.
  constexpr double kLargest = 0x1p53;
  const bool whole = value->is_number() && std::abs(value->get<double>()) <= kLargest &&
                     std::trunc(value->get<double>()) == value->get<double>();
  check(whole, ExitCode::kBadData, "[{}] expected \"{}\" to be a whole number, got {}", where_, key,
        short_text(*value));
  return static_cast<std::int64_t>(value->get<double>());
}

bool ConfigReader::flag(std::string_view key, bool absent) {
  const Json* value = find(key);
  if (value == nullptr) return absent;
  check(value->is_boolean(), ExitCode::kBadData, "[{}] expected \"{}\" to be true or false, got {}",
        where_, key, short_text(*value));
  return value->get<bool>();
}

std::string ConfigReader::text(std::string_view key, std::string_view absent) {
  const Json* value = find(key);
  if (value == nullptr) return std::string(absent);
  check(value->is_string(), ExitCode::kBadData, "[{}] expected \"{}\" to be a string, got {}",
        where_, key, short_text(*value));
  return printable(value->get<std::string>());
}

void ConfigReader::ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) find(key);
}

void ConfigReader::only(std::string_view key, std::initializer_list<Json> values) {
  const Json* value = find(key);
  if (value == nullptr || std::ranges::find(values, *value) != values.end()) return;
  std::vector<std::string> known;
  for (const Json& each : values) known.push_back(short_text(each));
  fail(ExitCode::kBadData, "[{}] expected \"{}\" to be {} (Lockstep has no other), got {}", where_,
       key, fmt::join(known, " or "), short_text(*value));
}

void ConfigReader::only_float32() {
  const Json* value = find("dtype");
  if (value == nullptr || value->is_null() || *value == "float32") return;
  const bool policy = value->is_object() && value->contains("config") &&
                      (*value)["config"].is_object() &&
                      (*value)["config"].value("name", Json()) == "float32";
  check(policy, ExitCode::kBadData, "[{}] expected \"dtype\" to be \"float32\", got {}", where_,
        short_text(*value));
}

void ConfigReader::finish() const {
  for (const auto& item : config_.items()) {
    check(std::ranges::find(read_, item.key()) != read_.end(), ExitCode::kBadData,
          "[{}] expected only the settings {}, got \"{}\": {}", where_, fmt::join(read_, ", "),
          printable(item.key()), short_text(item.value()));
  }
}

}  // namespace lockstep
