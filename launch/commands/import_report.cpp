#include "launch/commands/import_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "src/core/printable.hpp"

namespace lockstep {
namespace {

std::string line_of(const char* name, const Array& array) {
  Shape extents = array.row_shape;
  extents.insert(extents.begin(), array.rows);
  return fmt::format("  {:<8} {:<18} {:<8} {:.1f} MB\n", name, to_string(extents),
                     to_string(array.type), static_cast<double>(array.bytes.size()) / 1e6);
}

std::string describe_series(const SeriesArrays& series) {
  std::string text;
  text += line_of("x_series", series.x) + line_of("y_series", series.y);
  const auto add_windows = [&](const char* part, const std::vector<std::int64_t>& starts) {
    if (starts.empty()) return;
    for (const auto& [role, array, cut] :
         {std::tuple("x", &series.x, &series.x_cut), std::tuple("y", &series.y, &series.y_cut)}) {
      Shape extents = array->row_shape;
      if (cut->length) extents.insert(extents.begin(), *cut->length);
      extents.insert(extents.begin(), static_cast<std::int64_t>(starts.size()));
      text += fmt::format("  {:<8} {:<18} windows\n", fmt::format("{}_{}", role, part),
                          to_string(extents));
    }
  };
  add_windows("train", series.train);
  add_windows("val", series.validation);
  add_windows("test", series.test);
  return text;
}

}  // namespace

std::string import_report(const std::filesystem::path& out, const NamedArrays& dataset) {
  const DatasetArrays& arrays = dataset.arrays;
  std::string text;
  for (const std::string& note : dataset.notes) text += note + "\n";
  text += printable(out.string()) + "\n";
  const auto add = [&](const char* name, const std::optional<Array>& array) {
    if (array) text += line_of(name, *array);
  };
  if (arrays.series) text += describe_series(*arrays.series);
  add("x_train", arrays.x_train);
  add("y_train", arrays.y_train);
  add("x_val", arrays.x_val);
  add("y_val", arrays.y_val);
  add("x_test", arrays.x_test);
  add("y_test", arrays.y_test);
  constexpr std::size_t kMostClasses = 100;
  const std::size_t shown = std::min(dataset.classes.size(), kMostClasses);
  for (std::size_t i = 0; i < shown; ++i)
    text += fmt::format("  class {:<3} {}\n", i, printable(dataset.classes[i]));
  if (shown < dataset.classes.size())
    text += fmt::format("  ... {} classes more\n", dataset.classes.size() - shown);
  return text;
}

}  // namespace lockstep
