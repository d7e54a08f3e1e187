#include "distributed/training/class_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "distributed/training/option_text.hpp"
#include "src/core/error.hpp"
#include "src/core/words.hpp"

namespace lockstep {
namespace {

constexpr const char* kExpected = "CLASS:WEIGHT with commas between them, or balanced";
constexpr std::int64_t kMostClasses = 1'000'000;

std::int64_t class_of(const Targets& targets, std::int64_t position) {
  if (targets.values.empty()) return targets.classes[static_cast<std::size_t>(position)];
  const float* const row = targets.values.row(position);
  const std::int64_t columns = targets.values.columns;
  if (columns == 1) return row[0] > 0.5f ? 1 : 0;
  return std::max_element(row, row + columns) - row;
}

}  // namespace

ClassWeightOption read_class_weights(const std::string& text) {
  if (trimmed(text) == "balanced") return {.balanced = true, .weights = {}};
  ClassWeightOption option;
  for (std::size_t first = 0; first < text.size();) {
    const std::size_t comma = std::min(text.find(',', first), text.size());
    const std::string item = text.substr(first, comma - first);
    const std::size_t colon = item.find(':');
    if (colon == std::string::npos) refuse_option(kExpected, text);
    const auto label = read_integer<std::int64_t>(trimmed(item.substr(0, colon)), 0, kMostClasses);
    const bool known = std::ranges::any_of(
        option.weights, [&](const auto& weight) { return weight.first == label; });
    if (known) refuse_option(fmt::format("one weight of class {}", label), text);
    option.weights.emplace_back(label,
                                read_number(trimmed(item.substr(colon + 1)), kNotNegativeFloat));
    first = comma + 1;
  }
  return option;
}

std::string to_text(const ClassWeightOption& option) {
  if (option.balanced) return "balanced";
  std::string text;
  for (const auto& [label, weight] : option.weights)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", label, weight);
  return text;
}

ClassWeights::ClassWeights(const ClassWeightOption& option, const Objective& objective,
                           const ArrayView& y) {
  if (option.empty()) return;
  check(objective.output_positions() == 1, ExitCode::kBadData,
        "[class weights] expected one class for each sample, got outputs of {} positions",
        objective.output_positions());
  const std::int64_t columns = objective.output_columns();
  by_class_.assign(static_cast<std::size_t>(columns == 1 ? 2 : columns), 1.0f);
  if (option.balanced) balance(objective, y);
  for (const auto& [label, weight] : option.weights) {
    check(kNotNegativeFloat.contains(weight), ExitCode::kBadData,
          "[class weights] expected {} for class {}, got {}", kNotNegativeFloat.words, label,
          weight);
    check(label >= 0 && label < std::ssize(by_class_), ExitCode::kBadData,
          "[class weights] expected classes from 0 to {}, got {}", by_class_.size() - 1, label);
    by_class_[static_cast<std::size_t>(label)] = static_cast<float>(weight);
  }
}

void ClassWeights::balance(const Objective& objective, const ArrayView& y) {
  constexpr std::int64_t kBlock = 4096;
  std::vector<std::int64_t> rows_of_class(by_class_.size(), 0);
  TargetLoader loader(objective.loss().target_kind(), std::min(kBlock, y.rows), 1,
                      objective.output_columns());
  std::vector<std::int64_t> rows;
  for (std::int64_t first = 0; first < y.rows; first += kBlock) {
    rows.resize(static_cast<std::size_t>(std::min(kBlock, y.rows - first)));
    std::iota(rows.begin(), rows.end(), first);
    const Targets targets = loader.gather(y, rows);
    for (std::int64_t i = 0; i < std::ssize(rows); ++i)
      rows_of_class[static_cast<std::size_t>(class_of(targets, i))] += 1;
  }
  const auto classes = static_cast<double>(
      std::ranges::count_if(rows_of_class, [](std::int64_t count) { return count > 0; }));
  for (std::size_t c = 0; c < by_class_.size(); ++c)
    if (rows_of_class[c] > 0)
      by_class_[c] = static_cast<float>(static_cast<double>(y.rows) /
                                        (classes * static_cast<double>(rows_of_class[c])));
}

float ClassWeights::of(const Targets& targets, std::int64_t position) const {
  return by_class_[static_cast<std::size_t>(class_of(targets, position))];
}

}  // namespace lockstep
