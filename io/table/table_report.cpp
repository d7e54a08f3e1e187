#include "io/table/table_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/import/csv_dialect.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = ColumnMapping::Kind;

std::string shown(std::string_view text) {
  return printable(text, kShownOfCell);
}

std::string plural(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

/// "C, Q, S", cut where it gets long.
std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kLongest = 60;
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text.size() > kLongest) return text + ", ...";
    text += (i == 0 ? "" : ", ") + shown(names[i]);
  }
  return text;
}

std::string label_text(const LabelMapping& label) {
  if (!label.classes.empty())
    return fmt::format("{} ({})", shown(label.name),
                       plural(label.classes.size(), "class", "classes"));
  return fmt::format("{} ({})", shown(label.name), label.integers ? "integers" : "numbers");
}

std::string kind_text(const ColumnMapping& column) {
  switch (column.kind) {
    case Kind::kBoolean:
      return "false 0, true 1";
    case Kind::kDate:
      return fmt::format("date ({}): {}", to_text(column.order), column.unit());
    case Kind::kCategories:
      return fmt::format("{}: {}", plural(column.categories.size(), "category", "categories"),
                         list_of(column.categories));
    case Kind::kOrdinal:
      return fmt::format("ordinal 0 to {}: {}", column.categories.size() - 1,
                         list_of(column.categories));
    default:
      return "number";
  }
}

std::size_t missing_cells(const TextTable& table, const NewMapping& made,
                          const ColumnMapping& mapping) {
  const std::optional<std::size_t> column = table.column_named(mapping.name);
  return static_cast<std::size_t>(
      std::count_if(made.rows.begin(), made.rows.end(), [&](std::size_t row) {
        return column && mapping.is_missing(table.cell(row, *column), table.cells());
      }));
}

std::string fill_text(const ColumnMapping& column, std::size_t missing) {
  if (missing == 0 || !column.fill) return "";
  const bool one_hot = column.kind == Kind::kCategories;
  const std::string value = !one_hot ? fmt::format("{:.6g}", *column.fill)
                            : *column.fill < 0
                                ? std::string("none of them")
                                : shown(column.categories[static_cast<std::size_t>(*column.fill)]);
  const bool most = one_hot && column.missing != "zero" && !column.indicator;
  return fmt::format("; {} missing: {} {}{}", missing,
                     most               ? "most"
                     : column.indicator ? ""
                                        : column.missing,
                     value, column.indicator ? ", and a feature that says so" : "");
}

}  // namespace

std::vector<std::string> table_report(const TextTable& table, const NewMapping& made) {
  const TableMapping& mapping = made.mapping;
  std::string line =
      fmt::format("{}: {} rows; {}; header: {}", printable(table.name()), made.rows.size(),
                  separator_name(table.separator()),
                  table.has_header() ? fmt::format("yes (line {})", table.header_line()) : "no");
  if (mapping.decimal == ',') line += "; decimal comma";
  line += mapping.labels.size() == 1 ? "; label: " : "; labels: ";
  for (std::size_t i = 0; i < mapping.labels.size(); ++i)
    line += (i == 0 ? "" : ", ") + label_text(mapping.labels[i]);
  line += "; " + plural(mapping.feature_count(), "feature", "features");
  if (mapping.feature_count() != mapping.features.size())
    line += " of " + plural(mapping.features.size(), "column", "columns");
  if (!mapping.id.empty()) line += fmt::format("; id: {}", shown(mapping.id));
  for (const auto* remarks : {&made.remarks, &table.remarks()})
    for (const std::string& remark : *remarks) line += "; " + remark;
  if (made.rows.size() < table.rows())
    line += fmt::format("; {} left out for a missing value",
                        plural(table.rows() - made.rows.size(), "row", "rows"));
  std::vector<std::string> report = {line};
  for (const ColumnMapping& column : mapping.features) {
    const std::string fill = fill_text(column, missing_cells(table, made, column));
    if (column.kind == Kind::kNumber && fill.empty()) continue;
    report.push_back(fmt::format("  {:<16} {}{}", shown(column.name), kind_text(column), fill));
  }
  return report;
}

}  // namespace lockstep
