#include "io/table/import_table.hpp"

#include <cstring>
#include <numeric>
#include <set>
#include <utility>

#include "io/table/split_rows.hpp"
#include "io/table/table_report.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// The label of each row, if it is one of few integers: else rows are drawn without classes.
std::vector<std::int64_t> classes_of(const Array& y) {
  if (y.type != ElementType::kInt64 || !y.row_shape.empty()) return {};
  std::vector<std::int64_t> values(static_cast<std::size_t>(y.rows));
  std::memcpy(values.data(), y.bytes.data(), y.bytes.size());
  const std::set<std::int64_t> distinct(values.begin(), values.end());
  return 2 * distinct.size() <= values.size() ? values : std::vector<std::int64_t>();
}

struct Part {
  std::vector<std::size_t> train, validation, test;
};

RowParts draw(const TextTable& table, const TableMapping& mapping,
              const std::vector<std::size_t>& rows, double fraction, std::uint64_t seed) {
  return draw_rows(rows, classes_of(map_labels(table, mapping, rows)), fraction, seed);
}

Part split_rows(const TextTable& table, const NewMapping& made, const TableSplit& split) {
  Part part{made.rows, {}, {}};
  const auto take = [&](RowParts parts, std::vector<std::size_t>& drawn) {
    drawn = std::move(parts.drawn);
    part.train = std::move(parts.kept);
  };
  if (split.test > 0)
    take(draw(table, made.mapping, part.train, split.test, split.seed), part.test);
  if (split.test_last > 0) take(cut_last_rows(part.train, split.test_last), part.test);
  if (split.validation > 0)
    take(draw(table, made.mapping, part.train, split.validation, split.seed), part.validation);
  return part;
}

/// As numbers if all are integers.
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

ImportedTable import_table(const std::filesystem::path& train, const std::filesystem::path& test,
                           const TableOptions& options, const TableSplit& split, Unknown unknown) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  ImportedTable result;
  const TextTable table(train, options.format, options.named_columns());
  NewMapping made = make_mapping(table, options);
  const Part part = split_rows(table, made, split);
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
