#include "launch/train/split_warning.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <vector>

#include "io/data/batch.hpp"
#include "io/data/sample_order.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostClasses = 10'000;

/// Rows of each class: trained, held out.
using Counts = std::map<std::int64_t, std::array<std::int64_t, 2>>;

bool has_classes(const ArrayView& y, const Loss& loss) {
  const bool wants_classes = loss.target_kind() == TargetKind::kClasses ||
                             loss.name().starts_with("binary_") || loss.name().ends_with("hinge");
  return wants_classes && y.row_elements() == 1;
}

/// Empty if the targets are no integers, or too many different ones.
Counts count_classes(const ArrayView& y, std::int64_t cut) {
  constexpr std::int64_t kBlock = 4096;
  Counts counts;
  std::vector<std::int64_t> rows;
  std::vector<float> values(kBlock);
  for (std::int64_t first = 0; first < y.rows; first += kBlock) {
    const std::int64_t count = std::min(kBlock, y.rows - first);
    rows.resize(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = first + i;
    gather_rows(y, rows, {values.data(), count, 1});
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = values[static_cast<std::size_t>(i)];
      const auto label = static_cast<std::int64_t>(value);
      if (static_cast<float>(label) != value) return {};
      ++counts[label][first + i >= cut ? 1 : 0];
    }
    if (counts.size() > kMostClasses) return {};
  }
  return counts;
}

/// "class 2", "classes 0, 1 and 3 more".
std::string classes_text(const std::vector<std::int64_t>& classes) {
  constexpr std::size_t kMost = 5;
  std::string text = classes.size() == 1 ? "class " : "classes ";
  for (std::size_t i = 0; i < std::min(classes.size(), kMost); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", classes[i]);
  return classes.size() > kMost ? fmt::format("{} and {} more", text, classes.size() - kMost)
                                : text;
}

}  // namespace

std::string split_warning(const ArrayView& y, double validation_split, const Loss& loss) {
  if (!has_classes(y, loss)) return "";
  const std::int64_t cut = training_rows(y.rows, validation_split);
  std::vector<std::int64_t> untrained;
  std::vector<std::int64_t> unvalidated;
  for (const auto& [label, rows] : count_classes(y, cut)) {
    const auto all = static_cast<double>(rows[0] + rows[1]);
    const double expected = all * static_cast<double>(y.rows - cut) / static_cast<double>(y.rows);
    if (rows[0] == 0) untrained.push_back(label);
    if (rows[1] == 0 && expected >= 1) unvalidated.push_back(label);
  }
  if (untrained.empty() && unvalidated.empty()) return "";
  std::string what;
  if (!untrained.empty()) what = "hold " + classes_text(untrained) + ", which no other row has";
  if (!unvalidated.empty())
    what += (what.empty() ? "lack " : ", and lack ") + classes_text(unvalidated);
  return fmt::format(
      "warning: the last {} rows, which --validation-split {} cuts off, {}: are the rows sorted? "
      "Mix them in the file, or give --x-val and --y-val (lockstep import csv --validation-split "
      "draws them from all classes)",
      y.rows - cut, validation_split, what);
}

}  // namespace lockstep
