#include "io/table/column_kind.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = ColumnMapping::Kind;

constexpr std::size_t kFewWords = 50;  // become features without being asked
constexpr auto kOrders = {DateOrder::kYearMonthDay, DateOrder::kDayMonthYear,
                          DateOrder::kMonthDayYear};

std::string shown(std::string_view text) {
  return printable(text, kShownOfCell);
}

bool is_date_in_some_order(std::string_view cell) {
  return std::any_of(kOrders.begin(), kOrders.end(),
                     [&](DateOrder order) { return parse_date(cell, order).has_value(); });
}

/// The first row whose cell is no date of this order.
std::optional<std::size_t> first_other(const TextTable& table, std::size_t column,
                                       DateOrder order) {
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    if (!table.cells().is_missing(cell) && !parse_date(cell, order)) return row;
  }
  return std::nullopt;
}

bool mean_the_same(const TextTable& table, std::size_t column, DateOrder one, DateOrder other) {
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    if (table.cells().is_missing(cell)) continue;
    if (parse_date(cell, one)->days != parse_date(cell, other)->days) return false;
  }
  return true;
}

DateOrder find_order(const TextTable& table, std::size_t column) {
  std::vector<DateOrder> fits;
  std::size_t farthest = 0;
  for (const DateOrder order : kOrders) {
    const std::optional<std::size_t> other = first_other(table, column, order);
    if (!other) fits.push_back(order);
    farthest = std::max(farthest, other.value_or(0));
  }
  const std::string name = shown(table.column_name(column));
  check(!fits.empty(), ExitCode::kBadData,
        "{}: expected a date of the same form as above, got '{}': --missing-mark '{}' if it means "
        "a missing value, or --drop '{}'",
        table.place(farthest, column), shown(table.cell(farthest, column)),
        shown(table.cell(farthest, column)), name);
  check(fits.size() == 1 || mean_the_same(table, column, fits[0], fits[1]), ExitCode::kBadData,
        "{}: expected to tell days from months, got '{}' and no day above 12: --date '{}=d/m/y' or "
        "--date '{}=m/d/y' says it",
        table.place(0, column), shown(table.cell(0, column)), name, name);
  return fits.front();
}

/// A column that holds numbers and other text, or text that looks like numbers.
[[noreturn]] void refuse_mixture(const TextTable& table, std::size_t column, std::size_t row) {
  const std::string_view cell = table.cell(row, column);
  const std::string name = shown(table.column_name(column));
  const std::optional<std::string> reason = almost_number(cell);
  const bool comma = cell.find(',') != cell.npos && table.cells().decimal == '.';
  fail(ExitCode::kBadData,
       "{}: expected a finite number, got '{}'{}: --missing-mark '{}' if it means a missing value,"
       "{} --categorical '{}' to take the column's texts as words, or --drop '{}'",
       table.place(row, column), shown(cell), reason ? " (" + *reason + ")" : "", shown(cell),
       comma ? " --decimal comma if that is what the comma is," : "", name, name);
}

}  // namespace

ColumnContent look_at(const TextTable& table, std::size_t column,
                      const std::vector<std::size_t>& rows, bool distinct_numbers,
                      const std::vector<std::string>& words) {
  ColumnContent content;
  std::set<std::string, std::less<>> distinct;
  std::size_t truths = 0;
  for (const std::size_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    if (table.cells().is_missing(cell) &&
        std::find(words.begin(), words.end(), cell) == words.end()) {
      if (content.missing++ == 0) content.first_missing = row;
      continue;
    }
    if (table.cells().number(cell)) {
      if (content.numbers++ == 0) content.first_number = row;
      if (!distinct_numbers) continue;
    } else {
      if (content.words + content.booleans == 0) content.first_word = row;
      const bool truth = to_boolean(cell).has_value();
      truths += truth && (cell.front() == 't' || cell.front() == 'T' || cell.front() == 'f' ||
                          cell.front() == 'F')
                    ? 1
                    : 0;
      ++(truth ? content.booleans : content.words);
    }
    if (distinct.find(cell) == distinct.end()) distinct.emplace(cell);
  }
  content.distinct.assign(distinct.begin(), distinct.end());
  if (content.booleans > 0 && truths != 0 && truths != content.booleans) {  // both pairs: words
    content.words += content.booleans;
    content.booleans = 0;
  }
  return content;
}

Names names_in_order(const std::vector<std::string>& distinct, const CellFormat& format) {
  Names result;
  std::map<double, std::string> numbers;
  for (const std::string& text : distinct) {
    const std::optional<double> number = format.wide_number(text);
    if (!number) return {distinct, false};
    numbers.emplace(*number, number_name(*number));
  }
  for (auto& [value, name] : numbers) result.names.push_back(name);
  result.numeric = true;
  return result;
}

ColumnMapping column_of_words(const TextTable& table, std::size_t column,
                              const ColumnContent& content, ColumnMapping::Kind kind) {
  ColumnMapping mapping;
  mapping.name = table.column_name(column);
  mapping.kind = kind;
  Names names = names_in_order(content.distinct, table.cells());
  mapping.categories = std::move(names.names);
  mapping.numeric = names.numeric;
  return mapping;
}

ColumnMapping column_of_dates(const TextTable& table, std::size_t column,
                              std::optional<DateOrder> order) {
  ColumnMapping mapping;
  mapping.name = table.column_name(column);
  mapping.kind = Kind::kDate;
  mapping.order = order ? *order : find_order(table, column);
  const std::optional<std::size_t> other = first_other(table, column, mapping.order);
  check(!other, ExitCode::kBadData, "{}: expected a date of the form {}, got '{}'",
        table.place(other.value_or(0), column), to_text(mapping.order),
        shown(table.cell(other.value_or(0), column)));
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::optional<Date> date = parse_date(table.cell(row, column), mapping.order);
    mapping.has_times = mapping.has_times || (date && date->has_time);
  }
  return mapping;
}

ColumnMapping guess_column(const TextTable& table, std::size_t column,
                           const ColumnContent& content) {
  ColumnMapping mapping;
  mapping.name = table.column_name(column);
  if (content.words + content.booleans == 0) return mapping;
  if (content.words == 0 && content.numbers == 0) {
    mapping.kind = Kind::kBoolean;
    return mapping;
  }
  if (content.numbers > 0) refuse_mixture(table, column, content.first_word);
  const std::size_t dates = static_cast<std::size_t>(
      std::count_if(content.distinct.begin(), content.distinct.end(), is_date_in_some_order));
  if (2 * dates > content.distinct.size()) return column_of_dates(table, column, {});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    if (!table.cells().is_missing(cell) && almost_number(cell)) refuse_mixture(table, column, row);
  }
  const std::size_t different = content.distinct.size();
  const std::string name = shown(mapping.name);
  check(
      different <= kFewWords && 2 * different <= content.rows(), ExitCode::kBadData,
      "{}: expected a finite number, or few different words (at most {}, and half the rows), got "
      "'{}' and {} more in {} rows: --categorical '{}' for a feature for each, --ordinal '{}' for "
      "their order as a number, --id '{}' if it names the rows, or --drop '{}'",
      table.place(content.first_word, column), kFewWords,
      shown(table.cell(content.first_word, column)), different - 1, content.rows(), name, name,
      name, name);
  return column_of_words(table, column, content, Kind::kCategories);
}

}  // namespace lockstep
