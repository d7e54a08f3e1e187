#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "io/import/csv_reader.hpp"
#include "io/import/import.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kShown = 60;  // characters of a cell in a message

std::string_view without_plus(std::string_view text) {
  return text.size() > 1 && text.front() == '+' && text[1] != '-' ? text.substr(1) : text;
}

template <class T>
std::errc parse(std::string_view text, T& value) {
  text = without_plus(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return end != text.data() + text.size() ? std::errc::invalid_argument : error;
}

/// The nearest float32; none for text, NaN, and what float32 cannot hold.
std::optional<float> to_float(std::string_view text) {
  float value = 0;
  std::errc error = parse(text, value);
  if (error == std::errc::result_out_of_range) {  // too large, or so small that it is nearly zero
    double wide = 0;
    error = parse(text, wide);
    value = static_cast<float>(wide);
  }
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t value = 0;
  if (parse(text, value) != std::errc()) return std::nullopt;
  return value;
}

/// Appends a number to the bytes of an Array.
template <class T>
void append(Array& array, T value) {
  const std::size_t end = array.bytes.size();
  array.bytes.resize(end + sizeof value);
  std::memcpy(array.bytes.data() + end, &value, sizeof value);
}

/// The label column: by name, or by index if `label` is one.
class LabelColumn {
 public:
  LabelColumn(const CsvRecord& first, const std::string& label, const std::string& file) {
    const auto columns = static_cast<std::int64_t>(first.size());
    const std::optional<std::int64_t> number = to_integer(label);
    if (number && *number >= -columns && *number < columns) {
      index_ = static_cast<std::size_t>(*number < 0 ? *number + columns : *number);
      return;
    }
    by_name_ = true;
    // A number that is no index may still be a name, but not of a line of numbers: that is a row.
    const bool may_be_name = !number || !all_numbers(first);
    while (index_ < first.size() && !(may_be_name && first[index_] == label)) ++index_;
    check(index_ < first.size(), ExitCode::kBadData,
          "[csv] {}, line {}: expected a label column '{}' or an index in [-{}, {}), got the "
          "columns {}",
          file, first.line, label, columns, columns, names(first));
  }

  std::size_t index() const { return index_; }
  bool by_name() const { return by_name_; }

 private:
  static bool all_numbers(const CsvRecord& record) {
    for (std::size_t i = 0; i < record.size(); ++i) {
      if (!to_float(record[i])) return false;
    }
    return true;
  }
  static std::string names(const CsvRecord& record) {
    std::string list;
    for (std::size_t i = 0; i < std::min<std::size_t>(record.size(), 10); ++i) {
      list += (i == 0 ? "'" : ", '") + printable(record[i], kShown) + "'";
    }
    return record.size() > 10 ? list + ", ..." : list;
  }

  std::size_t index_ = 0;
  bool by_name_ = false;
};

/// A first line is a header if a feature's cell is text, or if only its label is text while the
/// next line's label is a number (pandas names columns 0, 1, 2, ...).
bool is_header(const CsvRecord& first, const CsvRecord* second, const LabelColumn& label) {
  if (label.by_name()) return true;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i != label.index() && !first[i].empty() && !to_float(first[i])) return true;
  }
  return !to_float(first[label.index()]) && second != nullptr && second->size() == first.size() &&
         to_float((*second)[label.index()]).has_value();
}

/// Labels as they stand in the file, and the line of each.
struct Labels {
  std::vector<std::string> texts;
  std::vector<std::int64_t> lines;
};

/// Numbers if the first label is one, else words; a mixture is more likely a mistake than meant.
void convert_labels(const Labels& labels, const std::string& where, CsvTable& table) {
  const std::vector<std::string>& texts = labels.texts;
  const bool words = !to_float(texts.front());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    check(words == !to_float(texts[i]), ExitCode::kBadData,
          "[csv] {}, line {}: expected a {} as on line {}, got '{}'", where, labels.lines[i],
          words ? "word" : "number", labels.lines.front(), printable(texts[i], kShown));
  }
  if (words) {
    table.classes = texts;
    std::sort(table.classes.begin(), table.classes.end());
    table.classes.erase(std::unique(table.classes.begin(), table.classes.end()),
                        table.classes.end());
  }
  const bool integers = words || std::all_of(texts.begin(), texts.end(), [](const auto& text) {
                          return to_integer(text).has_value();
                        });
  table.y.type = integers ? ElementType::kInt64 : ElementType::kFloat32;
  table.y.rows = static_cast<std::int64_t>(texts.size());
  for (const std::string& text : texts) {
    if (words) {
      const auto place = std::lower_bound(table.classes.begin(), table.classes.end(), text);
      append(table.y, static_cast<std::int64_t>(place - table.classes.begin()));
    } else if (integers) {
      append(table.y, *to_integer(text));
    } else {
      append(table.y, *to_float(text));
    }
  }
}

/// Adds one line to x and to the labels.
void add_row(const CsvRecord& record, const LabelColumn& label, const CsvReader& reader,
             CsvTable& table, Labels& labels) {
  const std::size_t columns = table.feature_names.size() + 1;
  check(record.size() == columns, ExitCode::kBadData,
        "[csv] {}, line {}: expected {} columns as on the first line, got {}", reader.name(),
        record.line, columns, record.size());
  for (std::size_t i = 0; i < columns; ++i) {
    const bool is_label = i == label.index();
    const std::optional<float> value = to_float(record[i]);
    const bool good = is_label ? !record[i].empty() : value.has_value();
    if (!good) {
      fail(ExitCode::kBadData, "[csv] {}, line {}, column {} ({}): expected a {}, got {}",
           reader.name(), record.line, i + 1,
           is_label ? "the label" : printable(table.feature_names[i - (i > label.index())]),
           is_label ? "label" : "finite number",
           record[i].empty() ? "an empty cell" : "'" + printable(record[i], kShown) + "'");
    }
    if (!is_label) append(table.x, *value);
  }
  labels.texts.emplace_back(record[label.index()]);
  labels.lines.push_back(record.line);
}

}  // namespace

CsvTable read_csv(const std::filesystem::path& path, const std::string& label_name) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  CsvReader reader(path);
  CsvRecord first;
  CsvRecord record;
  check(reader.next(first), ExitCode::kBadData, "[csv] {}: expected lines of numbers, got none",
        reader.name());
  check(first.size() >= 2, ExitCode::kBadData,
        "[csv] {}, line {}: expected at least two columns separated by comma, semicolon or tab, "
        "got one",
        reader.name(), first.line);
  const LabelColumn label(first, label_name, reader.name());
  bool more = reader.next(record);
  const bool header = is_header(first, more ? &record : nullptr, label);
  check(more || !header, ExitCode::kBadData, "[csv] {}: expected rows below the header, got none",
        reader.name());

  CsvTable table;
  Labels labels;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i == label.index()) continue;
    table.feature_names.push_back(header ? std::string(first[i]) : fmt::format("{}", i));
  }
  if (!header) add_row(first, label, reader, table, labels);
  for (; more; more = reader.next(record)) add_row(record, label, reader, table, labels);

  table.x.type = ElementType::kFloat32;
  table.x.rows = static_cast<std::int64_t>(labels.texts.size());
  table.x.row_shape = {static_cast<std::int64_t>(table.feature_names.size())};
  convert_labels(labels, fmt::format("{}, the label column", reader.name()), table);
  return table;
}

}  // namespace lockstep
