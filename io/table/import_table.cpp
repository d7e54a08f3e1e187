#include "io/table/import_table.hpp"

#include <numeric>
#include <utility>

#include "io/table/import_windows.hpp"
#include "io/table/split_rows.hpp"
#include "io/table/table_report.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

void read_part(const TextTable& table, const TableMapping& mapping,
               const std::vector<std::size_t>& rows, std::optional<Array>& x,
               std::optional<Array>& y, RowNames& names) {
  MappedRows mapped = map_rows(table, mapping, rows, Unknown::kRefuse);
  x = std::move(mapped.x);
  y = map_labels(table, mapping, rows);
  names = row_names(std::move(mapped.ids));
}

void read_test_table(const std::filesystem::path& path, const TableFormat& said, Unknown unknown,
                     ImportedTable& result) {
  const TextTable table(path, format_for(result.mapping, said));
  MappedRows mapped = map_rows(table, result.mapping, unknown);
  check(mapped.ignored.empty(), ExitCode::kBadData,
        "[csv] {}: expected the columns of the training table, got '{}' too: --drop it from both",
        table.name(),
        mapped.ignored.empty() ? "" : printable(mapped.ignored.front(), kShownOfCell));
  std::vector<std::size_t> rows(table.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  result.arrays.x_test = std::move(mapped.x);
  result.arrays.y_test = map_labels(table, result.mapping, rows);
  result.arrays.id_test = row_names(std::move(mapped.ids));
  if (mapped.unknown > 0)
    result.warnings.push_back(
        fmt::format("{}: {} unknown words became zeros", table.name(), mapped.unknown));
}

}  // namespace

RowNames row_names(std::vector<std::string> ids) {
  RowNames names;
  for (const std::string& id : ids) {
    const std::optional<std::int64_t> number = to_integer(id);
    if (!number || std::to_string(*number) != id) {
      names.numbers.clear();
      names.texts = std::move(ids);
      return names;
    }
    names.numbers.push_back(*number);
  }
  return names;
}

ImportedTable import_table(const std::filesystem::path& train, const std::filesystem::path& test,
                           const TableOptions& options, const TableSplit& split, Unknown unknown) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  ImportedTable result;
  const TextTable table(train, options.format, options.named_columns());
  NewMapping made = make_mapping(table, options);
  if (made.mapping.windows.length > 0) return import_windows(table, std::move(made), split);
  const SplitRows part = split_rows(
      made.rows, [&](const auto& rows) { return map_labels(table, made.mapping, rows); }, split);
  set_fills(made.mapping, table, part.train);
  DatasetArrays& arrays = result.arrays;
  read_part(table, made.mapping, part.train, arrays.x_train, arrays.y_train, arrays.id_train);
  if (!part.validation.empty())
    read_part(table, made.mapping, part.validation, arrays.x_val, arrays.y_val, arrays.id_val);
  if (!part.test.empty())
    read_part(table, made.mapping, part.test, arrays.x_test, arrays.y_test, arrays.id_test);
  result.report = table_report(table, made);
  result.warnings = std::move(made.warnings);
  result.mapping = std::move(made.mapping);
  if (!test.empty()) read_test_table(test, options.format, unknown, result);
  arrays.table_mapping = to_json_text(result.mapping);
  return result;
}

}  // namespace lockstep
