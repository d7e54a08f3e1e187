#include "io/table/make_mapping.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "io/table/column_kind.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = ColumnMapping::Kind;

constexpr auto kPolicies = std::to_array<std::string_view>(
    {"error", "mean", "median", "most", "zero", "indicator", "drop"});

std::string shown(std::string_view text) {
  return printable(text, kShownOfCell);
}

/// "COLUMN=value" at the last "=".
std::pair<std::string, std::string> assignment(const std::string& text, const char* option,
                                               const char* example) {
  const std::size_t equals = text.rfind('=');
  check(equals != text.npos && equals > 0, ExitCode::kUsage,
        "[import] --{}: expected COLUMN={}, got '{}'", option, example, shown(text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::string> split(const std::string& text, std::string_view separators) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (separators.find(c) == separators.npos) {
      parts.back() += c;
    } else {
      parts.emplace_back();
    }
  }
  return parts;
}

bool contains(const std::vector<std::size_t>& columns, std::size_t column) {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

/// What options say of a table's columns, by index.
struct Wishes {
  std::vector<std::size_t> labels, dropped, categorical;
  std::optional<std::size_t> id, group;
  bool labels_are_features = false;  ///< their past
  std::vector<std::string> classes;  ///< in the user's order; empty: none are given
  std::map<std::size_t, std::vector<std::string>> ordinal;  ///< empty list: sorted
  std::map<std::size_t, DateOrder> dates;
  std::string missing = "error";
  std::map<std::size_t, std::string> missing_of;

  Wishes(const TextTable& table, const TableOptions& options);
  const std::string& policy(std::size_t column) const {
    const auto found = missing_of.find(column);
    return found == missing_of.end() ? missing : found->second;
  }
  /// The words that the user lists for a column, which are never missing.
  const std::vector<std::string>& words(std::size_t column) const {
    static const std::vector<std::string> kNone;
    if (labels.size() == 1 && labels.front() == column) return classes;
    const auto found = ordinal.find(column);
    return found == ordinal.end() ? kNone : found->second;
  }
  bool is_missing(const TextTable& table, std::size_t row, std::size_t column) const {
    const std::string_view cell = table.cell(row, column);
    const std::vector<std::string>& own = words(column);
    return table.cells().is_missing(cell) && std::find(own.begin(), own.end(), cell) == own.end();
  }
  /// Whether any option but --missing names the column as a feature.
  bool wants(std::size_t column) const {
    return contains(categorical, column) || ordinal.contains(column) || dates.contains(column);
  }
  bool is_feature(std::size_t column) const {
    return (labels_are_features || !contains(labels, column)) && !contains(dropped, column) &&
           id != column && (group != column || wants(column));
  }

 private:
  void read_missing(const TextTable& table, const TableOptions& options);
  void check_uses(const TextTable& table) const;
};

Wishes::Wishes(const TextTable& table, const TableOptions& options)
    : labels(table.find_all(options.label)),
      dropped(table.find_all(options.drop)),
      categorical(table.find_all(options.categorical)) {
  if (!options.id.empty()) id = table.find(options.id);
  if (!options.windows.group.empty()) group = table.find(options.windows.group);
  labels_are_features =
      options.windows.length > 0 && options.windows.horizon > 0 && options.past_labels;
  for (const std::string& text : options.ordinal) {
    const bool has_list = text.find('=') != text.npos && !table.column_named(text);
    if (!has_list) {
      ordinal[table.find(text)] = {};
      continue;
    }
    const auto [column, list] = assignment(text, "ordinal", "low<middle<high");
    ordinal[table.find(column)] = split(list, list.find('<') == list.npos ? "," : "<");
  }
  for (const std::string& text : options.dates) {
    const auto [column, word] = assignment(text, "date", "d/m/y");
    const std::optional<DateOrder> order = date_order_from_text(word);
    check(order.has_value(), ExitCode::kUsage,
          "[import] --date: expected y-m-d, d/m/y or m/d/y behind '=', got '{}'", shown(word));
    dates[table.find(column)] = *order;
  }
  if (!options.classes.empty() && options.classes != "sorted")
    classes = split(options.classes, ",");
  read_missing(table, options);
  check_uses(table);
}

void Wishes::read_missing(const TextTable& table, const TableOptions& options) {
  for (const std::string& text : options.missing) {
    const bool for_all = std::find(kPolicies.begin(), kPolicies.end(), text) != kPolicies.end();
    if (for_all) {
      missing = text;
      continue;
    }
    const auto [columns, word] = assignment(text, "missing", "mean, or mean for all columns");
    check(std::find(kPolicies.begin(), kPolicies.end(), word) != kPolicies.end(), ExitCode::kUsage,
          "[import] --missing: expected error, mean, median, most, zero, indicator or drop, got "
          "'{}'",
          shown(word));
    for (const std::size_t column : table.find_all(columns)) missing_of[column] = word;
  }
}

void Wishes::check_uses(const TextTable& table) const {
  for (std::size_t i = 0; i < table.columns(); ++i) {
    const int uses = contains(labels, i) + contains(dropped, i) + (id == i) +
                     contains(categorical, i) + static_cast<int>(ordinal.contains(i)) +
                     static_cast<int>(dates.contains(i));
    check(group != i || !(contains(labels, i) || contains(dropped, i) || id == i), ExitCode::kUsage,
          "[import] expected --group to name another column than --label, --drop and --id, got "
          "'{}'",
          shown(table.column_name(i)));
    check(uses <= 1, ExitCode::kUsage,
          "[import] expected one use of column '{}', got more than one of --label, --drop, --id, "
          "--categorical, --ordinal, --date",
          shown(table.column_name(i)));
  }
}

ColumnMapping ordinal_column(const TextTable& table, std::size_t column,
                             const ColumnContent& content, const std::vector<std::string>& order) {
  ColumnMapping mapping = column_of_words(table, column, content, Kind::kOrdinal);
  if (order.empty()) return mapping;
  mapping.categories = order;
  mapping.numeric = false;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string cell(table.cell(row, column));
    check(table.cells().is_missing(cell) ||
              std::find(order.begin(), order.end(), cell) != order.end(),
          ExitCode::kBadData, "{}: expected one of the words of --ordinal, got '{}'",
          table.place(row, column), shown(cell));
  }
  return mapping;
}

ColumnMapping column_mapping(const TextTable& table, std::size_t column, const Wishes& wishes,
                             const ColumnContent& content) {
  if (contains(wishes.categorical, column))
    return column_of_words(table, column, content, Kind::kCategories);
  if (const auto order = wishes.ordinal.find(column); order != wishes.ordinal.end())
    return ordinal_column(table, column, content, order->second);
  if (const auto date = wishes.dates.find(column); date != wishes.dates.end())
    return column_of_dates(table, column, date->second);
  return guess_column(table, column, content);
}

[[noreturn]] void refuse_missing(const TextTable& table, std::size_t column,
                                 const ColumnMapping& mapping, const ColumnContent& content) {
  const std::string name = shown(mapping.name);
  const std::string_view cell = table.cell(content.first_missing, column);
  fail(ExitCode::kBadData,
       "{}: expected a {}, got {} ({} of {} rows lack a value): --missing mean (or median, most, "
       "zero, indicator, drop) for all columns, --missing '{}=mean' for this one, or --drop '{}'",
       table.place(content.first_missing, column),
       mapping.kind == Kind::kNumber ? "finite number" : "word",
       cell.empty() ? "an empty cell" : "'" + shown(cell) + "'", content.missing, content.rows(),
       name, name);
}

/// Row numbers under another name than pandas and R give them.
bool counts_rows(const TextTable& table, std::size_t column) {
  if (table.rows() < 5) return false;
  const std::optional<std::int64_t> first = to_integer(table.cell(0, column));
  if (!first || (*first != 0 && *first != 1)) return false;
  for (std::size_t row = 1; row < table.rows(); ++row)
    if (to_integer(table.cell(row, column)) != *first + static_cast<std::int64_t>(row))
      return false;
  return true;
}

void add_features(const TextTable& table, const Wishes& wishes, NewMapping& made) {
  for (std::size_t i = 0; i < table.columns(); ++i) {
    const std::string& name = table.column_name(i);
    if (contains(wishes.dropped, i) || (wishes.group == i && !wishes.is_feature(i)))
      made.mapping.dropped.push_back(name);
    if (!wishes.is_feature(i)) continue;
    if (table.index_column() == i && !wishes.wants(i)) {
      made.mapping.dropped.push_back(name);
      made.remarks.push_back(fmt::format("index column '{}' dropped", shown(name)));
      continue;
    }
    const ColumnContent content = look_at(table, i, made.rows, wishes.wants(i), wishes.words(i));
    if (content.missing == content.rows()) {
      made.mapping.dropped.push_back(name);
      made.remarks.push_back(fmt::format("'{}' dropped: it has no value", shown(name)));
      continue;
    }
    ColumnMapping column = column_mapping(table, i, wishes, content);
    column.missing = wishes.policy(i);
    if (content.missing > 0 && column.missing == "error") refuse_missing(table, i, column, content);
    column.indicator = column.missing == "indicator" && content.missing > 0;
    if (counts_rows(table, i) && !wishes.wants(i)) {
      made.warnings.push_back(fmt::format(
          "column '{}' counts the rows and becomes a feature: --id '{}' or --drop '{}' if it means "
          "nothing else",
          shown(name), shown(name), shown(name)));
    }
    made.mapping.features.push_back(std::move(column));
  }
  check(!made.mapping.features.empty(), ExitCode::kBadData,
        "[csv] {}: expected at least one column beside the label, got none", table.name());
}

std::vector<std::size_t> rows_with_values(const TextTable& table, const Wishes& wishes) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < table.columns(); ++i)
    if (wishes.policy(i) == "drop" && !contains(wishes.dropped, i) && wishes.id != i &&
        !(table.index_column() == i && !wishes.wants(i)))
      columns.push_back(i);
  std::erase_if(columns, [&](std::size_t column) {  // a column without any value is dropped itself
    std::size_t row = 0;
    while (row < table.rows() && wishes.is_missing(table, row, column)) ++row;
    return row == table.rows();
  });
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const bool complete = std::none_of(columns.begin(), columns.end(), [&](std::size_t column) {
      return wishes.is_missing(table, row, column);
    });
    if (complete) rows.push_back(row);
  }
  check(!rows.empty(), ExitCode::kBadData,
        "[csv] {}: expected rows without missing values to be left by --missing drop, got none",
        table.name());
  return rows;
}

// --- Labels ---

std::string label_place(const TextTable& table, std::size_t row, std::size_t column) {
  return fmt::format("[csv] {}, line {}, column {} (the label)", table.name(), table.line(row),
                     column + 1);
}

/// Numbers if the first label is one, else words; a mixture is more likely a mistake than meant.
LabelMapping make_label(const TextTable& table, std::size_t column,
                        const std::vector<std::size_t>& rows) {
  LabelMapping label{table.column_name(column), {}, false, true, true};
  const auto is_number = [&](std::size_t row) {
    return table.cells().number(table.cell(row, column)).has_value();
  };
  const bool words = !is_number(rows.front());
  for (const std::size_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    check(!table.cells().is_missing(cell), ExitCode::kBadData,
          "{}: expected a label, got {}: --missing '{}=drop' leaves such rows out",
          label_place(table, row, column), cell.empty() ? "an empty cell" : "'" + shown(cell) + "'",
          shown(label.name));
    check(words != is_number(row), ExitCode::kBadData,
          "[csv] {}, the label column, line {}: expected a {} as on line {}, got '{}'",
          table.name(), table.line(row), words ? "word" : "number", table.line(rows.front()),
          shown(cell));
    const std::optional<std::int64_t> integer = to_integer(cell);
    label.integers = label.integers && integer;
    label.is_zero_or_one = label.is_zero_or_one && integer && (*integer == 0 || *integer == 1);
    const std::optional<std::string> reason = words ? almost_number(cell) : std::nullopt;
    check(!reason, ExitCode::kBadData,
          "{}: expected a number or a word, got '{}' ({}): --classes sorted takes such labels as "
          "words",
          label_place(table, row, column), shown(cell), reason.value_or(""));
  }
  label.integers = label.integers && !words;
  label.is_zero_or_one = label.is_zero_or_one && !words;
  return label;
}

/// The label's different cells in these rows.
std::vector<std::string> distinct_labels(const TextTable& table, std::size_t column,
                                         const Wishes& wishes,
                                         const std::vector<std::size_t>& rows) {
  std::vector<std::string> all;
  for (const std::size_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    check(!wishes.is_missing(table, row, column), ExitCode::kBadData,
          "{}: expected a label, got {}: --missing '{}=drop' leaves such rows out",
          label_place(table, row, column), cell.empty() ? "an empty cell" : "'" + shown(cell) + "'",
          shown(table.column_name(column)));
    all.emplace_back(cell);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

/// As the labels are named: numbers as number_name() if these are numbers.
std::vector<std::string> classes_of_user(const std::vector<std::string>& words, bool numeric) {
  std::vector<std::string> classes;
  for (const std::string& word : words) {
    const std::optional<double> number = numeric ? CellFormat().wide_number(word) : std::nullopt;
    classes.push_back(number ? number_name(*number) : word);
    check(std::find(classes.begin(), classes.end() - 1, classes.back()) == classes.end() - 1,
          ExitCode::kUsage, "[import] --classes: expected each class once, got '{}' again",
          shown(word));
  }
  return classes;
}

void add_labels(const TextTable& table, const TableOptions& options, const Wishes& wishes,
                NewMapping& made) {
  for (const std::size_t column : wishes.labels) {
    LabelMapping label{table.column_name(column), {}, false, false, false};
    if (options.classes.empty()) label = make_label(table, column, made.rows);
    const bool words = options.classes.empty() &&
                       !table.cells().number(table.cell(made.rows.front(), column)).has_value();
    const bool may_have_classes = wishes.labels.size() == 1;
    if ((words || !options.classes.empty()) && may_have_classes) {
      Names found =
          names_in_order(distinct_labels(table, column, wishes, made.rows), table.cells());
      label.numeric = found.numeric;
      label.classes = wishes.classes.empty() ? std::move(found.names)
                                             : classes_of_user(wishes.classes, found.numeric);
    } else {
      const bool booleans = look_at(table, column, made.rows).words == 0;
      check(!words || booleans, ExitCode::kBadData,
            "{}: expected numbers, which several labels must be, got '{}'",
            label_place(table, made.rows.front(), column),
            shown(table.cell(made.rows.front(), column)));
    }
    made.mapping.labels.push_back(std::move(label));
  }
}

NewMapping begin_mapping(const TextTable& table, const TableOptions& options,
                         const Wishes& wishes) {
  check(
      table.columns() > 1, ExitCode::kBadData,
      "[csv] {}: expected at least two columns separated by comma, semicolon, tab, bar or blanks, "
      "got one",
      table.name());
  table.check_names(wishes.dropped);
  NewMapping made;
  made.mapping.header = table.has_header();
  made.mapping.columns = table.columns();
  made.mapping.decimal = table.cells().decimal;
  made.mapping.missing_marks = table.cells().missing_marks;
  if (wishes.id) made.mapping.id = table.column_name(*wishes.id);
  made.mapping.windows = options.windows;
  if (wishes.group) made.mapping.windows.group = table.column_name(*wishes.group);
  made.rows = rows_with_values(table, wishes);
  return made;
}

}  // namespace

std::vector<std::string> TableOptions::named_columns() const {
  std::vector<std::string> names = {label, id, windows.group};
  for (const std::string& list : {label, drop, categorical}) {
    for (std::string& name : split(list, ",")) names.push_back(std::move(name));
    names.push_back(list);
  }
  for (const auto* list : {&ordinal, &dates, &missing})
    for (const std::string& text : *list)
      if (const std::size_t equals = text.rfind('='); equals != text.npos)
        names.push_back(text.substr(0, equals));
  std::erase(names, "");
  return names;
}

NewMapping make_mapping(const TextTable& table, const TableOptions& options) {
  const Wishes wishes(table, options);
  NewMapping made = begin_mapping(table, options, wishes);
  add_features(table, wishes, made);
  add_labels(table, options, wishes, made);
  return made;
}

NewMapping make_label_mapping(const TextTable& table, const TableOptions& options) {
  const Wishes wishes(table, options);
  NewMapping made = begin_mapping(table, options, wishes);
  add_labels(table, options, wishes, made);
  return made;
}

}  // namespace lockstep
