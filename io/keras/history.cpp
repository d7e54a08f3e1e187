#include "io/keras/history.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"

namespace lockstep {
namespace {

using Metrics = std::vector<std::pair<std::string, double>>;

constexpr std::array<std::string_view, 4> kLastColumns = {"learning_rate", "train_seconds",
                                                          "val_seconds", "samples_per_second"};

std::optional<double> find(const Metrics& metrics, std::string_view name) {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void append(std::string& line, std::optional<double> value) {
  line += ',';
  if (!value) return;
  std::array<char, 32> digits = {};  // the longest shortest double has 24 characters
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *value).ptr;
  line.append(digits.data(), end);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class T>
T parse(std::string_view field, std::string_view column, std::size_t line) {
  T value = 0;
  const char* end = field.data() + field.size();
  const auto result = std::from_chars(field.data(), end, value);
  check(result.ec == std::errc() && result.ptr == end, ExitCode::kBadData,
        "[history] line {}, {}: expected a number, got '{}'", line, column, field);
  return value;
}

/// The columns of a file: epoch, loss, metrics, [val_loss, val_ metrics,] and kLastColumns.
struct Columns {
  std::vector<std::string_view> names;
  std::size_t metrics_end = 0;     ///< index behind the last metric
  std::size_t validation_end = 0;  ///< the same if there is no validation

  explicit Columns(std::string_view header) : names(split(header, ',')) {
    const bool framed = names.size() >= 6 && names[0] == "epoch" && names[1] == "loss" &&
                        std::equal(kLastColumns.begin(), kLastColumns.end(), names.end() - 4);
    check(framed, ExitCode::kBadData,
          "[history] line 1: expected the columns epoch, loss, ..., learning_rate, train_seconds, "
          "val_seconds, samples_per_second, got '{}'",
          header);
    validation_end = names.size() - kLastColumns.size();
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(validation_end);
    metrics_end =
        static_cast<std::size_t>(std::find(names.begin(), end, "val_loss") - names.begin());
    for (std::size_t i = metrics_end; i < validation_end; ++i) {
      check(names[i].starts_with("val_"), ExitCode::kBadData,
            "[history] line 1: expected a column that begins with val_, got '{}'", names[i]);
    }
  }
};

EpochReport parse_report(const Columns& columns, std::string_view text, std::size_t line) {
  const std::vector<std::string_view> fields = split(text, ',');
  check(fields.size() == columns.names.size(), ExitCode::kBadData,
        "[history] line {}: expected {} fields, got {}", line, columns.names.size(), fields.size());
  const auto number = [&](std::size_t i) {
    return parse<double>(fields[i], columns.names[i], line);
  };

  EpochReport report;
  report.epoch = parse<std::int64_t>(fields[0], columns.names[0], line);
  report.loss = number(1);
  for (std::size_t i = 2; i < columns.metrics_end; ++i) {
    report.metrics.emplace_back(columns.names[i], number(i));
  }
  if (columns.metrics_end < columns.validation_end && !fields[columns.metrics_end].empty()) {
    report.validation_loss = number(columns.metrics_end);
    for (std::size_t i = columns.metrics_end + 1; i < columns.validation_end; ++i) {
      report.validation_metrics.emplace_back(columns.names[i].substr(4), number(i));
    }
  }
  report.learning_rate = number(columns.validation_end);
  report.train_seconds = number(columns.validation_end + 1);
  report.validation_seconds = number(columns.validation_end + 2);
  report.samples_per_second = number(columns.validation_end + 3);
  return report;
}

}  // namespace

std::optional<double> EpochReport::value(const std::string& name) const {
  if (name == "loss") return loss;
  if (name == "val_loss") return validation_loss;
  if (const auto found = find(metrics, name)) return found;
  if (name.starts_with("val_")) return find(validation_metrics, std::string_view(name).substr(4));
  return std::nullopt;
}

std::string history_to_csv(const History& history) {
  const auto validated =
      std::find_if(history.begin(), history.end(),
                   [](const EpochReport& report) { return report.validation_loss.has_value(); });
  const Metrics metrics = history.empty() ? Metrics() : history.front().metrics;
  const Metrics validation = validated == history.end() ? Metrics() : validated->validation_metrics;

  std::string text = "epoch,loss";
  for (const auto& metric : metrics) text += "," + metric.first;
  if (validated != history.end()) text += ",val_loss";
  for (const auto& metric : validation) text += ",val_" + metric.first;
  for (const std::string_view name : kLastColumns) text.append(",").append(name);
  text += '\n';
  for (const EpochReport& report : history) {
    text += fmt::format("{}", report.epoch);
    append(text, report.loss);
    for (const auto& metric : metrics) append(text, find(report.metrics, metric.first));
    if (validated != history.end()) append(text, report.validation_loss);
    for (const auto& metric : validation) {
      append(text, find(report.validation_metrics, metric.first));
    }
    for (const double number : {report.learning_rate, report.train_seconds,
                                report.validation_seconds, report.samples_per_second}) {
      append(text, number);
    }
    text += '\n';
  }
  return text;
}

History history_from_csv(const std::string& text) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  check(!text.empty() && text.back() == '\n', ExitCode::kBadData,
        "[history] expected lines that end in a line feed, got {}",
        text.empty() ? "nothing" : "a last line without one");
  const std::vector<std::string_view> lines =
      split(std::string_view(text).substr(0, text.size() - 1), '\n');
  const Columns columns(lines.front());
  History history;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    history.push_back(parse_report(columns, lines[i], i + 1));
  }
  return history;
}

}  // namespace lockstep
