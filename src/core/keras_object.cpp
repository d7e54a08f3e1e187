#include "src/core/keras_object.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kBrief = 8;

std::string without_package(const std::string& name) {
  const std::size_t end = name.rfind('>') + 1;
  return printable(end == name.size() ? name : name.substr(end));  // "<lambda>" has none
}

std::string quoted(const std::string& text) {
  return "'" + printable(text, 80) + "'";
}

std::string describe_object(const ordered_json& object) {
  if (object.empty()) return "{}";
  const auto name = object.find("class_name");
  if (name != object.end() && name->is_string())
    return printable(name->get_ref<const std::string&>(), 80);
  if (object.size() > kBrief) return fmt::format("an object with {} keys", object.size());
  std::string keys;
  for (const auto& item : object.items()) keys += (keys.empty() ? "" : ", ") + quoted(item.key());
  return "an object with " + keys;
}

std::string describe_list(const ordered_json& list) {
  const bool brief = list.size() <= kBrief && std::ranges::none_of(list, [](const auto& element) {
                       return element.is_structured();
                     });
  if (!brief) return fmt::format("a list of {}", list.size());
  std::string elements;
  for (const ordered_json& element : list)
    elements += (elements.empty() ? "" : ", ") + describe(element);
  return "[" + elements + "]";
}

}  // namespace

std::string describe(const ordered_json& value) {
  if (value.is_string()) return quoted(value.get_ref<const std::string&>());
  if (value.is_object()) return describe_object(value);
  if (value.is_array()) return describe_list(value);
  return value.dump();
}

KerasObject keras_object(const ordered_json& json, std::string_view where) {
  if (json.is_string()) return {without_package(json.get<std::string>()), ordered_json::object()};
  const bool has_class = json.is_object() && json.contains("class_name");
  check(has_class && json["class_name"].is_string(), ExitCode::kBadData,
        "[{}] expected a name or {{\"class_name\", \"config\"}}, got {}", where, describe(json));
  for (const auto& item : json.items()) {
    static constexpr std::string_view kKnown[] = {
        "class_name", "config", "module", "registered_name", "build_config", "shared_object_id"};
    check(std::ranges::find(kKnown, item.key()) != std::end(kKnown), ExitCode::kBadData,
          "[{}] expected only the keys {}, got \"{}\"", where, fmt::join(kKnown, ", "),
          printable(item.key()));
  }
  const std::string class_name = json["class_name"].get<std::string>();
  const ordered_json config = json.value("config", ordered_json::object());
  if (class_name == "function" && config.is_string())
    return {without_package(config.get<std::string>()), ordered_json::object()};
  check(config.is_object() || config.is_null(), ExitCode::kBadData,
        "[{}] expected the config of \"{}\" to be an object, got {}", where, printable(class_name),
        describe(config));
  return {without_package(class_name), config.is_null() ? ordered_json::object() : config};
}

}  // namespace lockstep
