#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "io/table/column_kind.hpp"
#include "io/table/make_mapping.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = ColumnMapping::Kind;

/// What a cell counts as in a mean.
std::optional<double> value_of(std::string_view cell, const ColumnMapping& column,
                               const CellFormat& format) {
  if (column.is_missing(cell, format)) return std::nullopt;
  switch (column.kind) {
    case Kind::kNumber:
      return format.wide_number(cell);
    case Kind::kBoolean:
      return to_boolean(cell) ? std::optional(*to_boolean(cell) ? 1.0 : 0.0)
                              : format.wide_number(cell);
    case Kind::kDate: {
      const std::optional<Date> date = parse_date(cell, column.order);
      return date ? std::optional(column.number_of(*date)) : std::nullopt;
    }
    default: {
      const std::optional<double> number = column.numeric ? format.wide_number(cell) : std::nullopt;
      const std::string name = number ? number_name(*number) : std::string(cell);
      const auto found = std::find(column.categories.begin(), column.categories.end(), name);
      if (found == column.categories.end()) return std::nullopt;
      return static_cast<double>(found - column.categories.begin());
    }
  }
}

/// The first day in these rows; 1970-01-01 if there is none.
std::int64_t first_day(const TextTable& table, const ColumnMapping& column,
                       const std::vector<std::size_t>& rows) {
  const std::size_t place = *table.column_named(column.name);
  std::optional<std::int64_t> first;
  for (const std::size_t row : rows) {
    const std::string_view cell = table.cell(row, place);
    if (column.is_missing(cell, table.cells())) continue;
    if (const std::optional<Date> date = parse_date(cell, column.order))
      first = std::min(first.value_or(date->days), date->days);
  }
  return first.value_or(0);
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  double lost = 0;  // by rounding (Neumaier)
  for (const double value : values) {
    const double next = sum + value;
    const bool sum_is_larger = (sum < 0 ? -sum : sum) >= (value < 0 ? -value : value);
    lost += sum_is_larger ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  return (sum + lost) / static_cast<double>(values.size());
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The lowest of the most frequent ones.
double most_of(const std::vector<double>& values) {
  std::map<double, std::size_t> counts;
  for (const double value : values) ++counts[value];
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

}  // namespace

void set_fills(TableMapping& mapping, const TextTable& table,
               const std::vector<std::size_t>& rows) {
  for (ColumnMapping& column : mapping.features) {
    if (column.has_times) column.origin = first_day(table, column, rows);
    if (column.missing == "error" || column.missing == "drop") continue;
    const bool one_hot = column.kind == Kind::kCategories;
    if (column.missing == "zero" || (one_hot && column.indicator)) {
      column.fill = one_hot ? -1 : 0;
      continue;
    }
    const std::size_t place = *table.column_named(column.name);
    std::vector<double> values;
    for (const std::size_t row : rows)
      if (const auto value = value_of(table.cell(row, place), column, table.cells()))
        values.push_back(*value);
    check(!values.empty(), ExitCode::kBadData,
          "[csv] {}, column '{}': expected a value in a row to train on, got none: --drop it",
          table.name(), printable(column.name, kShownOfCell));
    column.fill = one_hot || column.missing == "most" ? most_of(values)
                  : column.missing == "median"        ? median_of(std::move(values))
                                                      : mean_of(values);
  }
}

}  // namespace lockstep
