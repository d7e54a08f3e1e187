#include "src/layers/config_values.hpp"

#include <fmt/format.h>

#include <limits>

#include "src/core/printable.hpp"

namespace lockstep {

using nlohmann::ordered_json;

std::shared_ptr<const Initializer> read_initializer(
    KerasConfig& config, const std::string& key,
    const std::shared_ptr<const Initializer>& fallback) {
  const ordered_json* value = config.find(key);
  if (!value) return fallback;
  return config.convert(key, [&] { return make_initializer(*value); });
}

Regularizer read_regularizer(KerasConfig& config, const std::string& key) {
  const ordered_json* value = config.find(key);
  return value ? config.convert(key, [&] { return make_regularizer(*value); }) : Regularizer{};
}

Constraint read_constraint(KerasConfig& config, const std::string& key) {
  const ordered_json* value = config.find(key);
  if (!value) return {};
  return config.convert(key, [&] {
    if (is_known_constraint(*value)) return make_constraint(*value);
    config.expect_for_training(key, nullptr);
    return Constraint{};
  });
}

Activation read_activation(KerasConfig& config, bool required) {
  if (required && !config.find("activation"))
    config.object_to("activation", "the name of an activation", "nothing");
  return read_activation(config, "activation", Activation::kLinear);
}

Activation read_activation(KerasConfig& config, const std::string& key, Activation fallback) {
  const ordered_json* value = config.find(key);
  if (!value) return fallback;
  const ordered_json* name = value;
  if (value->is_object() && value->value("class_name", ordered_json()) == "function" &&
      value->contains("config"))
    name = &value->at("config");
  if (!name->is_string()) {
    config.object_to(key, "the name of an activation", describe(*value));
    return fallback;
  }
  return config.convert(key, [&] {
    return activation_from_name(printable(name->get_ref<const std::string&>(), 80), config.keras());
  });
}

std::vector<std::int64_t> read_axes(KerasConfig& config, const std::string& key) {
  constexpr std::int64_t kMost = 32;
  const ordered_json* value = config.find(key);
  if (!value) return {-1};
  const bool is_list = value->is_array();
  std::vector<std::int64_t> axes;
  for (const ordered_json& axis : is_list ? *value : ordered_json::array({*value})) {
    if (!axis.is_number_integer() || axis < -kMost || axis > kMost || axis == 0) {
      config.object_to(key, "an axis, or a list of axes, such as -1, the last; 0 is the batch",
                       describe(*value));
      return {-1};
    }
    axes.push_back(axis.get<std::int64_t>());
  }
  if (axes.empty()) config.object_to(key, "one axis or more", "[]");
  return axes;
}

double read_number(KerasConfig& config, const std::string& key, double fallback, double low,
                   double high) {
  const double value = config.number(key, fallback);
  if (value < low || value > high)
    config.object_to(key,
                     high < std::numeric_limits<double>::infinity()
                         ? fmt::format("a number from {} to {}", low, high)
                         : fmt::format("a number of at least {}", low),
                     fmt::format("{}", value));
  return value;
}

}  // namespace lockstep
