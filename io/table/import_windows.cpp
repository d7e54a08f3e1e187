#include "io/table/import_windows.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "io/import/synthetic.hpp"
#include "io/table/table_report.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr const char* kInputs = "/x_series";
constexpr const char* kTargets = "/y_series";

/// The rows of `order` that are to train on, for means and the like.
std::vector<std::size_t> training_rows_of(const SeriesOrder& order, const TableSplit& split) {
  std::vector<std::size_t> rows;
  for (const SeriesRows& part : rows_to_train(order.series, split.validation, split.test_last))
    rows.insert(rows.end(), order.rows.begin() + part.first,
                order.rows.begin() + part.first + part.rows);
  return rows;
}

std::int64_t longest(std::span<const SeriesRows> series) {
  return std::ranges::max(series, {}, &SeriesRows::rows).rows;
}

void check_labels(const TableMapping& mapping) {
  check(mapping.windows.horizon <= 1 || mapping.classes().empty(), ExitCode::kBadData,
        "[import] expected a label of numbers with --horizon {}, got classes, of which one can be "
        "told: --horizon 1, or 0 for the class of the window's last row",
        mapping.windows.horizon);
}

std::string window_report(const WindowRule& rule, const SeriesArrays& made, std::size_t series,
                          std::int64_t width) {
  const std::string targets = rule.horizon == 0 ? "targets of the last row"
                              : rule.horizon == 1
                                  ? "targets of the next row"
                                  : fmt::format("targets of the next {} rows", rule.horizon);
  return fmt::format(
      "windows: {} rows of {}, {}, one every {}; {} series{}; {} to train, {} to validate, {} to "
      "test",
      rule.length, width, targets, rule.step == 1 ? "row" : fmt::format("{} rows", rule.step),
      series, rule.group.empty() ? "" : " by '" + printable(rule.group, kShownOfCell) + "'",
      made.train.size(), made.validation.size(), made.test.size());
}

/// The windows of all parts; result.mapping is complete.
void add_windows(std::span<const SeriesRows> all, const TableSplit& split, SeriesArrays series,
                 ImportedTable& result) {
  const WindowRule& rule = result.mapping.windows;
  WindowStarts starts = cut_windows(all, rule, split.validation, split.test_last);
  check(!starts.train.empty(), ExitCode::kBadData,
        "[import] expected windows of {} rows and {} behind them to train on, got none: the "
        "longest series has {} rows, {} of them to train on",
        rule.length, rule.end() - rule.length, longest(all),
        longest(rows_to_train(all, split.validation, split.test_last)));
  series.x_cut = {kInputs, 0, rule.length};
  series.y_cut = {kTargets, rule.first_target(), {}};
  if (rule.horizon > 1) series.y_cut.length = rule.horizon;
  series.train = std::move(starts.train);
  series.validation = std::move(starts.validation);
  series.test = std::move(starts.test);
  result.report.push_back(window_report(rule, series, all.size(), series.x.row_shape.front()));
  result.arrays.series = std::move(series);
  result.arrays.table_mapping = to_json_text(result.mapping);
}

}  // namespace

SeriesOrder order_by_group(const TextTable& table, const TableMapping& mapping,
                           const std::vector<std::size_t>& rows) {
  const std::string& group = mapping.windows.group;
  if (group.empty()) return {rows, {{0, static_cast<std::int64_t>(rows.size())}}};
  const std::optional<std::size_t> column = find_column(table, mapping, group);
  check(column.has_value(), ExitCode::kBadData,
        "[csv] {}: expected the column '{}', which tells series apart, got none", table.name(),
        printable(group, kShownOfCell));
  std::map<std::string_view, std::size_t> known;
  std::vector<std::vector<std::size_t>> groups;
  for (const std::size_t row : rows) {
    const auto [place, is_new] = known.try_emplace(table.cell(row, *column), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(row);
  }
  SeriesOrder order;
  for (const std::vector<std::size_t>& one : groups) {
    order.series.push_back(
        {static_cast<std::int64_t>(order.rows.size()), static_cast<std::int64_t>(one.size())});
    order.rows.insert(order.rows.end(), one.begin(), one.end());
  }
  return order;
}

ImportedTable import_windows(const TextTable& table, NewMapping made, const TableSplit& split) {
  check_labels(made.mapping);
  const SeriesOrder order = order_by_group(table, made.mapping, made.rows);
  set_fills(made.mapping, table, training_rows_of(order, split));
  ImportedTable result;
  result.report = table_report(table, made);
  result.warnings = std::move(made.warnings);
  result.mapping = std::move(made.mapping);
  SeriesArrays series;
  series.x = map_rows(table, result.mapping, order.rows, Unknown::kRefuse).x;
  series.y = map_labels(table, result.mapping, order.rows);
  add_windows(order.series, split, std::move(series), result);
  return result;
}

ImportedTable import_series(std::int64_t rows, std::int64_t test_rows, std::uint64_t seed,
                            const WindowRule& rule) {
  const std::int64_t all = rows + test_rows;
  const std::vector<float> values = synthetic_series(all, seed);
  const auto bytes = std::as_bytes(std::span(values));
  ImportedTable result;
  result.mapping.columns = 1;
  result.mapping.features = {{.name = "value"}};
  result.mapping.labels = {{"value", {}, false, false, false}};
  result.mapping.windows = rule;
  SeriesArrays series;
  series.x = {ElementType::kFloat32, all, {1}, {bytes.begin(), bytes.end()}};
  series.y = {ElementType::kFloat32, all, {}, {bytes.begin(), bytes.end()}};
  const SeriesRows one[] = {{0, all}};
  const TableSplit split{.test_last = static_cast<double>(test_rows) / static_cast<double>(all)};
  add_windows(one, split, std::move(series), result);
  return result;
}

}  // namespace lockstep
