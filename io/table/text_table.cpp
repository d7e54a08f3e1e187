#include "io/table/text_table.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "io/import/csv_reader.hpp"
#include "io/table/header.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

bool all_empty(const CsvRecord& record) {
  for (std::size_t i = 0; i < record.size(); ++i)
    if (!record[i].empty()) return false;
  return true;
}

/// Below the first line, a line that begins with # is a comment if it has no fields as a row has.
bool is_comment(const CsvRecord& record, std::size_t columns) {
  return record.hash && columns > 1 && record.size() != columns &&
         (record.size() == 1 || record[0] == "#");
}

/// The first line of the table among those that begin with # in front of `record`: with as many
/// fields, and below it none with another number of fields but comments. Of several that all begin
/// with "# " it is the last, the header as numpy.savetxt writes it.
std::vector<CsvRecord>::iterator begin_of_table(std::vector<CsvRecord>& hashes,
                                                const CsvRecord& record) {
  const std::size_t columns = record.size();
  if (columns < 2) return hashes.end();
  auto begin = hashes.end();
  auto last = hashes.end();
  bool all_spaced = !record.hash;
  for (auto line = hashes.end(); line != hashes.begin();) {
    --line;
    if (line->size() != columns && line->size() != 1) break;
    if (line->size() != columns) continue;
    begin = line;
    if (last == hashes.end()) last = line;
    const std::string_view field = (*line)[0];
    all_spaced = all_spaced && (field.size() == 1 || field[1] == ' ' || field[1] == '\t');
  }
  return all_spaced ? last : begin;
}

/// "'a', 'b', ..."
std::string quoted_list(std::span<const std::string> names) {
  constexpr std::size_t kMost = 10;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    list += (i == 0 ? "'" : ", '") + printable(names[i], kShownOfCell) + "'";
  return names.size() > kMost ? list + ", ..." : list;
}

/// pandas' and R's names for the rows' names or numbers.
bool is_index_name(std::string_view name) {
  return name == "index" || name == "rownames" || name == "row.names" || name == "row_names" ||
         name == "rowname" || name.starts_with("level_");
}

/// "1,234": perhaps 1.234, perhaps 1234. `comma` is its only one.
bool may_be_thousands(std::string_view cell, std::size_t comma) {
  const std::size_t sign = cell.starts_with('-') || cell.starts_with('+') ? 1 : 0;
  const std::size_t before = comma - sign;
  return cell.size() - comma == 4 && before >= 1 && before <= 3 && cell[sign] != '0';
}

}  // namespace

TextTable::TextTable(const std::filesystem::path& path, const TableFormat& format,
                     std::span<const std::string> wanted) {
  cells_.missing_marks = format.missing_marks;
  read(path, format);
  find_decimal(format);
  if (decide_header(format, wanted)) take_header();
  for (std::size_t i = names_.size(); i < stride_; ++i) names_.push_back(std::to_string(i));
  check(rows() > 0, ExitCode::kBadData, "[csv] {}: expected rows below the header, got none",
        name_);
  drop_empty_last_columns(format);
  find_index_column();
  rename_duplicates();
  const auto count = [&](std::int64_t n, const char* what) {
    if (n > 0) remarks_.push_back(fmt::format("{} {}{} left out", n, what, n == 1 ? "" : "s"));
  };
  count(comments_, "comment line (#)");
  count(empty_rows_, "empty row");
}

void TextTable::add_row(const CsvRecord& record) {
  begins_.push_back(text_.size());
  lines_.push_back(record.line);
  for (std::size_t i = 0; i < record.size(); ++i) {
    text_ += record[i];
    ends_.push_back(static_cast<std::uint32_t>(text_.size() - begins_.back()));
  }
}

void TextTable::read(const std::filesystem::path& path, const TableFormat& format) {
  CsvReader reader(path, format.separator);
  name_ = reader.name();
  separator_ = reader.separator();
  CsvRecord record;
  std::vector<CsvRecord> hashes;  // lines that begin with # in front of all others
  bool more = reader.next(record);
  for (; more && record.hash; more = reader.next(record)) hashes.push_back(record);
  if (!more && !hashes.empty()) {  // a table whose lines all begin so
    std::swap(record, hashes.back());
    hashes.pop_back();
    more = true;
  }
  check(more, ExitCode::kBadData, "[csv] {}: expected lines of numbers or words, got none", name_);

  const auto begin = begin_of_table(hashes, record);
  comments_ = begin - hashes.begin();
  std::deque<CsvRecord> waiting(begin, hashes.end());
  waiting.push_back(std::move(record));
  const auto next = [&] {
    if (waiting.empty()) return reader.next(record);
    record = std::move(waiting.front());
    waiting.pop_front();
    return true;
  };
  next();
  const CsvRecord first = record;
  for (std::size_t i = 0; i < first.size(); ++i) first_.emplace_back(first[i]);
  first_line_ = first.line;
  stride_ = first.size();
  for (more = next(); more && is_comment(record, stride_); more = next()) ++comments_;
  // R's row names have no header; a row may end in a separator, or the header alone.
  const bool one_off =
      more && !record.hash && format.header != false &&
      (record.size() == stride_ + 1 || (record.size() + 1 == stride_ && first_.back().empty()));
  if (one_off && record.size() < stride_) first_.pop_back();
  if (one_off) stride_ = record.size();
  if (first_.size() == stride_) add_row(first);
  for (; more; more = next()) {
    if (is_comment(record, stride_)) {
      ++comments_;
      continue;
    }
    check(record.size() == stride_, ExitCode::kBadData,
          "[csv] {}, line {}: expected {} columns as on line {}, got {}", name_, record.line,
          stride_, one_off ? first_line_ + 1 : first_line_, record.size());
    if (stride_ > 1 && all_empty(record)) {
      ++empty_rows_;
    } else {
      add_row(record);
    }
  }
}

/// A comma is decimal if numbers have one and none has a point. "1,234" alone does not tell.
void TextTable::find_decimal(const TableFormat& format) {
  if (format.decimal) cells_.decimal = *format.decimal;
  if (format.decimal || separator_ == ',') return;
  bool points = false;
  bool commas = false;
  std::optional<std::size_t> unclear;  // a cell
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    const std::string_view text = cell(i / stride_, i % stride_);
    const std::size_t comma = text.find(',');
    if (comma == text.npos) {
      points = points || (text.find('.') != text.npos && cells_.number(text));
    } else if (CellFormat{',', {}}.number(text)) {
      const bool thousands = may_be_thousands(text, comma);
      commas = commas || !thousands;
      if (thousands && !unclear) unclear = i;
    }
  }
  check(
      commas || points || !unclear, ExitCode::kBadData,
      "{}: expected to tell a decimal comma from a thousands separator, got '{}': --decimal comma "
      "or --decimal point says which",
      place(unclear.value_or(0) / stride_, unclear.value_or(0) % stride_),
      unclear ? cell(*unclear / stride_, *unclear % stride_) : "");
  if (commas && !points) cells_.decimal = ',';
}

bool TextTable::decide_header(const TableFormat& format,
                              std::span<const std::string> wanted) const {
  if (format.header) return *format.header;
  const bool is_short = first_.size() < stride_;
  const std::size_t names_before = is_short && !last_column_is_empty() ? 1 : 0;
  const std::size_t first_row = is_short || lines_.front() != first_line_ ? 0 : 1;
  const RowsBelow below{rows() - first_row, [&](std::size_t row, std::size_t column) {
                          return cell(row + first_row, column + names_before);
                        }};
  const HeaderVerdict verdict = is_header(first_, below, cells_);
  check(!is_short || verdict != HeaderVerdict::kNo, ExitCode::kBadData,
        "[csv] {}, line {}: expected {} columns as on line {}, got {}", name_, line(0),
        first_.size(), first_line_, stride_);
  if (is_short) return true;
  // A number that is no index may still be a name, but not of a line of numbers: that is a row.
  const bool numbers = std::all_of(first_.begin(), first_.end(), [this](const std::string& text) {
    return cells_.number(text).has_value();
  });
  for (const std::string& name : wanted) {
    const std::optional<std::int64_t> index = to_integer(name);
    const auto columns = static_cast<std::int64_t>(stride_);
    const bool may_be_name = !index || (!numbers && !(*index >= -columns && *index < columns));
    if (may_be_name && std::find(first_.begin(), first_.end(), name) != first_.end()) return true;
  }
  check(verdict != HeaderVerdict::kCannotTell, ExitCode::kBadData,
        "[csv] {}, line {}: expected to tell whether this is the header, got {}: --header yes or "
        "--header no says it",
        name_, first_line_, quoted_list(first_));
  return verdict == HeaderVerdict::kYes;
}

/// The first line's fields become names; it is no row.
void TextTable::take_header() {
  header_line_ = first_line_;
  names_ = first_;
  if (!names_.empty() && names_.front().starts_with('#')) {
    names_.front().erase(0, names_.front().find_first_not_of("# \t"));
  }
  if (!lines_.empty() && lines_.front() == first_line_) {
    begins_.erase(begins_.begin());
    lines_.erase(lines_.begin());
    ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(stride_));
  }
  if (names_.size() + 1 == stride_) {
    names_.insert(last_column_is_empty() ? names_.end() : names_.begin(), "");
  }
}

bool TextTable::last_column_is_empty() const {
  bool empty = true;
  for (std::size_t row = 0; empty && row < rows(); ++row) empty = cell(row, stride_ - 1).empty();
  return empty;
}

/// Lines that end in a separator. More than one such column: as spreadsheets write them.
void TextTable::drop_empty_last_columns(const TableFormat& format) {
  std::size_t dropped = 0;
  const std::size_t least = has_header() ? 1 : format.columns;
  while (names_.size() > least) {
    const std::size_t last = names_.size() - 1;
    if (has_header() && !names_[last].empty()) break;
    bool empty = true;
    for (std::size_t row = 0; empty && row < rows(); ++row) empty = cell(row, last).empty();
    if (!empty) break;
    names_.pop_back();
    ++dropped;
  }
  if (dropped > 0)
    remarks_.push_back(
        fmt::format("{} empty column{} at the end left out", dropped, dropped == 1 ? "" : "s"));
}

void TextTable::find_index_column() {
  if (!has_header() || columns() < 2) return;
  for (std::size_t i = 0; i < columns(); ++i)
    if (names_[i].empty() && i > 0) names_[i] = fmt::format("Unnamed: {}", i);
  const std::string& name = names_.front();
  bool counts = true;  // 0, 1, 2, ... or 1, 2, 3, ...
  for (std::size_t row = 0; counts && row < rows(); ++row) {
    const std::optional<std::int64_t> number = to_integer(cell(row, 0));
    counts = number && *number == *to_integer(cell(0, 0)) + static_cast<std::int64_t>(row) &&
             *number <= static_cast<std::int64_t>(row) + 1;
  }
  if (name.empty() || name.starts_with("Unnamed:") || (counts && is_index_name(name)))
    index_column_ = 0;
  if (name.empty()) names_.front() = "Unnamed: 0";
}

/// As pandas: "a", "a.1", "a.2".
void TextTable::rename_duplicates() {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < columns(); ++i) {
    const std::string name = names_[i];
    const auto [first, is_new] = seen.emplace(name, i);
    if (is_new) continue;
    for (int n = 1; seen.contains(names_[i]); ++n) names_[i] = fmt::format("{}.{}", name, n);
    seen.emplace(names_[i], i);
    duplicates_.push_back({first->second, i, name});
  }
}

void TextTable::check_names(std::span<const std::size_t> unused) const {
  for (const Duplicate& two : duplicates_) {
    const bool one_is_unused = std::any_of(unused.begin(), unused.end(), [&](std::size_t column) {
      return column == two.first || column == two.second;
    });
    check(one_is_unused, ExitCode::kBadData,
          "[csv] {}, line {}: expected a name of its own for each column, got '{}' for the columns "
          "{} and {}: rename one, or leave it out by --drop {}",
          name_, header_line_, printable(two.name, kShownOfCell), two.first + 1, two.second + 1,
          two.second);
  }
}

bool TextTable::has_several(std::string_view name) const {
  return std::any_of(duplicates_.begin(), duplicates_.end(),
                     [&](const Duplicate& two) { return two.name == name; });
}

std::string_view TextTable::cell(std::size_t row, std::size_t column) const {
  const std::size_t end = row * stride_ + column;
  const std::uint32_t begin = column == 0 ? 0 : ends_[end - 1];
  return std::string_view(text_).substr(begins_[row] + begin, ends_[end] - begin);
}

std::string TextTable::place(std::size_t row, std::size_t column) const {
  const std::string name =
      column < names_.size() ? fmt::format(" ({})", printable(names_[column], kShownOfCell)) : "";
  return fmt::format("[csv] {}, line {}, column {}{}", name_, line(row), column + 1, name);
}

std::optional<std::size_t> TextTable::column_named(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

std::size_t TextTable::find(const std::string& column) const {
  const auto count = static_cast<std::int64_t>(columns());
  const std::optional<std::int64_t> number = to_integer(column);
  const bool is_index = number && *number >= -count && *number < count;
  const std::int64_t index = is_index ? (*number < 0 ? *number + count : *number) : -1;
  const std::optional<std::size_t> found = has_header() ? column_named(column) : std::nullopt;
  check(!found || !has_several(column), ExitCode::kBadData,
        "[csv] {}, line {}: expected one column named '{}', got several: say its index instead of "
        "the name ({}), and leave the others out by --drop",
        name_, header_line_, printable(column, kShownOfCell), found.value_or(0));
  const std::int64_t named = found ? static_cast<std::int64_t>(*found) : -1;
  check(!is_index || !found || index == named, ExitCode::kBadData,
        "[csv] {}: expected the name or the index of a column, got '{}', which is the name of "
        "column {} and the index of column {}: count from the end, {} or {}",
        name_, column, named + 1, index + 1, named - count, index - count);
  check(is_index || found, ExitCode::kBadData,
        "[csv] {}, line {}: expected a column '{}' or an index in [-{}, {}), got the columns {}",
        name_, first_line_, printable(column, kShownOfCell), count, count,
        quoted_list(has_header() ? names_ : first_));
  return static_cast<std::size_t>(is_index ? index : named);
}

std::vector<std::size_t> TextTable::find_all(const std::string& columns) const {
  if (columns.empty()) return {};
  if (columns.find_first_of(",\"") == columns.npos) return {find(columns)};
  if (has_header() && column_named(columns)) return {*column_named(columns)};
  std::vector<std::size_t> found;
  std::string name;
  bool quoted = false;
  const auto finish = [&] {
    const std::size_t column = find(name);
    if (std::find(found.begin(), found.end(), column) == found.end()) found.push_back(column);
    name.clear();
  };
  for (const char c : columns) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      finish();
    } else {
      name += c;
    }
  }
  finish();
  return found;
}

}  // namespace lockstep
