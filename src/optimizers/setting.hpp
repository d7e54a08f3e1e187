#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/core/number_range.hpp"

namespace lockstep {

/// What one can set in an optimizer or a schedule.
struct Setting {
  enum class Kind { kNumber, kFlag, kCount, kCounts, kNumbers };  ///< kCounts: a list of them

  std::string key;  ///< Keras's: "beta_1"
  Kind kind = Kind::kNumber;
  NumberRange range = kAnyNumber;  ///< of a number
  std::string help = {};
  bool required = false;
  std::string standard = {};  ///< a number's default
};

/// An optimizer or a schedule as users choose it.
struct Choosable {
  std::string name;        ///< "adam"
  std::string class_name;  ///< Keras's: "Adam"
  std::vector<Setting> settings;
};

/// A setting that is a member of S, whose initial value is the default; of an integer, which counts
/// from 1, 0 is none.
template <class S>
struct SettingField {
  const char* key;
  std::variant<double S::*, bool S::*, std::int64_t S::*> member;
  NumberRange range = kAnyNumber;
  const char* help = "";
};

/// The fields as users see them, with `standard` for their defaults.
template <class S>
std::vector<Setting> settings_of_fields(std::span<const SettingField<S>> fields,
                                        const S& standard = {}) {
  std::vector<Setting> settings;
  for (const SettingField<S>& field : fields) {
    Setting setting{field.key, Setting::Kind::kFlag, field.range, field.help};
    if (const auto* number = std::get_if<double S::*>(&field.member)) {
      setting.kind = Setting::Kind::kNumber;
      setting.standard = fmt::format("{}", standard.**number);
    } else if (std::holds_alternative<std::int64_t S::*>(field.member)) {
      setting.kind = Setting::Kind::kCount;
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

template <class S>
S read_fields(std::span<const SettingField<S>> fields, KerasConfig& config, S settings = {}) {
  for (const SettingField<S>& field : fields) {
    if (const auto* number = std::get_if<double S::*>(&field.member)) {
      settings.** number = config.number(field.key, settings.**number, field.range);
    } else if (const auto* count = std::get_if<std::int64_t S::*>(&field.member)) {
      settings.** count = config.integer(field.key, settings.**count, 1, KerasConfig::kMaxInteger);
    } else {
      bool& flag = settings.*std::get<bool S::*>(field.member);
      flag = config.boolean(field.key, flag);
    }
  }
  return settings;
}

template <class S>
void write_fields(std::span<const SettingField<S>> fields, const S& settings,
                  nlohmann::ordered_json& config) {
  for (const SettingField<S>& field : fields)
    std::visit([&](auto member) { config[field.key] = settings.*member; }, field.member);
}

}  // namespace lockstep
