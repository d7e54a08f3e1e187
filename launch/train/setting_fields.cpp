#include "launch/train/setting_fields.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "distributed/training/option_text.hpp"
#include "launch/train/train_compile.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Kind = Setting::Kind;

constexpr std::int64_t kMany = 1'000'000'000;

/// Numbers with commas between.
template <class T>
Json read_list(const std::string& text) {
  Json list = Json::array();
  for (const std::string& part : split_names(text)) {
    const auto number = parse_number<T>(part);
    if (!number) refuse_option("numbers with commas between", text);
    list.push_back(*number);
  }
  return list;
}

Json read_setting(const std::string& text, const Setting& setting) {
  if (setting.kind == Kind::kFlag) return read_switch(text);
  if (setting.kind == Kind::kCount) return read_integer<std::int64_t>(text, 1, kMany);
  if (setting.kind == Kind::kCounts) return read_list<std::int64_t>(text);
  if (setting.kind == Kind::kNumbers) return read_list<double>(text);
  return read_number(text, setting.range);
}

/// As read_setting() reads it.
std::string text_of(const Json& value) {
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& each : value) parts.push_back(text_of(each));
  return fmt::format("{}", fmt::join(parts, ","));
}

const char* argument_of(Kind kind) {
  if (kind == Kind::kFlag) return "";
  if (kind == Kind::kCount) return "N";
  if (kind == Kind::kCounts) return "N,N,...";
  if (kind == Kind::kNumbers) return "X,X,...";
  return "X";
}

/// A setting, and which of the choices have it.
struct Offer {
  Setting setting;
  std::vector<std::string> choices = {};
  std::vector<ChoiceDefault> standards = {};
};

/// Each setting once, by its key; last those that all choices have.
std::vector<Offer> offers_of(const std::vector<Choosable>& choices) {
  std::vector<Offer> offers;
  for (const Choosable& choice : choices) {
    for (const Setting& setting : choice.settings) {
      const auto has_key = [&](const Offer& offer) { return offer.setting.key == setting.key; };
      auto offer = std::ranges::find_if(offers, has_key);
      if (offer == offers.end()) offer = offers.insert(offer, {setting});
      offer->choices.push_back(choice.name);
      if (!setting.standard.empty()) offer->standards.push_back({choice.name, setting.standard});
    }
  }
  std::ranges::stable_partition(
      offers, [&](const Offer& offer) { return offer.choices.size() < choices.size(); });
  return offers;
}

/// "sgd only: Nesterov's form of momentum", "adam only [default: 0.9]"; of what all have no names.
std::string help_of(const Offer& offer, std::size_t choices) {
  std::string help = offer.setting.help;
  if (offer.choices.size() < choices)
    help =
        fmt::format("{} only{}{}", fmt::join(offer.choices, ", "), help.empty() ? "" : ": ", help);
  if (offer.standards.empty()) return help;
  return fmt::format("{}{}[default: {}]", help, help.empty() ? "" : " ",
                     defaults_in_words(offer.standards));
}

}  // namespace

std::string option_name(std::string key) {
  std::ranges::replace(key, '_', '-');
  return key;
}

std::string defaults_in_words(const std::vector<ChoiceDefault>& standards) {
  const auto count = [&](const std::string& standard) {
    return std::ranges::count(standards, standard, &ChoiceDefault::standard);
  };
  const std::string usual = std::ranges::max_element(standards, {}, [&](const auto& each) {
                              return count(each.standard);
                            })->standard;
  std::vector<std::string> others;
  for (const auto& [choice, standard] : standards)
    if (standard != usual) others.push_back(choice + " " + standard);
  return others.empty() ? usual : fmt::format("{}; {}", usual, fmt::join(others, ", "));
}

std::vector<TrainField> setting_fields(const std::vector<Choosable>& choices,
                                       Json TrainSettings::*member) {
  std::vector<TrainField> fields;
  for (const Offer& offer : offers_of(choices)) {
    const Setting& setting = offer.setting;
    fields.push_back(
        {option_name(setting.key), "", argument_of(setting.kind), help_of(offer, choices.size()),
         TrainField::Use::kResult,
         [member, setting](TrainSettings& settings, const std::string& text) {
           (settings.*member)[setting.key] = read_setting(text, setting);
         },
         [member, key = setting.key](const TrainSettings& settings) -> std::optional<std::string> {
           const auto found = (settings.*member).find(key);
           if (found == (settings.*member).end()) return std::nullopt;
           return text_of(*found);
         }});
  }
  return fields;
}

}  // namespace lockstep
