#include "io/keras/exact_json.hpp"

#include <bit>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Numbers = std::vector<std::pair<std::string, double>>;

Json numbers_to_json(const Numbers& numbers) {
  Json json = Json::array();
  for (const auto& [name, value] : numbers) json.push_back({name, exact_json(value)});
  return json;
}

Numbers numbers_from_json(const Json& json) {
  Numbers numbers;
  for (const Json& entry : json)
    numbers.emplace_back(entry.at(0).get<std::string>(), exact_double(entry.at(1)));
  return numbers;
}

}  // namespace

Json exact_json(double value) {
  return fmt::format("{:a}", value);
}

double exact_double(const Json& json) {
  const std::string text = json.get<std::string>();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  check(!text.empty() && end == text.data() + text.size(), ExitCode::kBadData,
        "[training state] expected a hexadecimal number, got '{}'", printable(text));
  return value;
}

Json exact_json(std::span<const float> values) {
  std::string text;
  text.reserve(values.size() * 8);
  for (const float value : values)
    fmt::format_to(std::back_inserter(text), "{:08x}", std::bit_cast<std::uint32_t>(value));
  return text;
}

std::vector<float> exact_floats(const Json& json) {
  const std::string text = json.get<std::string>();
  check(text.size() % 8 == 0, ExitCode::kBadData,
        "[training state] expected 8 hexadecimal digits for each number, got {} in all",
        text.size());
  std::vector<float> values(text.size() / 8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t bits = 0;
    const char* digits = text.data() + 8 * i;
    const auto [end, error] = std::from_chars(digits, digits + 8, bits, 16);
    check(error == std::errc() && end == digits + 8, ExitCode::kBadData,
          "[training state] expected hexadecimal digits, got '{}'",
          printable(std::string_view(digits, 8)));
    values[i] = std::bit_cast<float>(bits);
  }
  return values;
}

Json history_to_json(const History& history) {
  Json json = Json::array();
  for (const EpochReport& report : history) {
    Json entry = {{"epoch", report.epoch},
                  {"loss", exact_json(report.loss)},
                  {"metrics", numbers_to_json(report.metrics)},
                  {"val_metrics", numbers_to_json(report.validation_metrics)},
                  {"learning_rate", exact_json(report.learning_rate)},
                  {"train_seconds", exact_json(report.train_seconds)},
                  {"val_seconds", exact_json(report.validation_seconds)},
                  {"samples_per_second", exact_json(report.samples_per_second)}};
    if (report.validation_loss) entry["val_loss"] = exact_json(*report.validation_loss);
    json.push_back(std::move(entry));
  }
  return json;
}

History history_from_json(const Json& json) {
  History history;
  for (const Json& entry : json) {
    EpochReport report;
    const Json& epoch = entry.at("epoch");
    check(epoch.is_number_integer(), ExitCode::kBadData,
          "[training state] expected the number of an epoch, got {}", epoch.type_name());
    report.epoch = epoch.get<std::int64_t>();
    report.loss = exact_double(entry.at("loss"));
    report.metrics = numbers_from_json(entry.at("metrics"));
    report.validation_metrics = numbers_from_json(entry.at("val_metrics"));
    report.learning_rate = exact_double(entry.at("learning_rate"));
    report.train_seconds = exact_double(entry.at("train_seconds"));
    report.validation_seconds = exact_double(entry.at("val_seconds"));
    report.samples_per_second = exact_double(entry.at("samples_per_second"));
    if (entry.contains("val_loss")) report.validation_loss = exact_double(entry.at("val_loss"));
    history.push_back(std::move(report));
  }
  return history;
}

}  // namespace lockstep
