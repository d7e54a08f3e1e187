#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <unordered_map>

#include "io/table/table_mapping.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = ColumnMapping::Kind;

/// "'a', 'b' and 3 more".
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    text += (i == 0 ? "'" : ", '") + printable(names[i], kShownOfCell) + "'";
  return names.size() > kMost ? fmt::format("{} and {} more", text, names.size() - kMost) : text;
}

std::string shown(std::string_view cell) {
  return cell.empty() ? "an empty cell" : "'" + printable(cell, kShownOfCell) + "'";
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Where the mapping's columns are in a table.
class Places {
 public:
  Places(const TextTable& table, const TableMapping& mapping) : table_(table), mapping_(mapping) {
    if (mapping.header) return;
    const std::size_t without_labels = mapping.columns - mapping.labels.size();
    lacks_labels_ = table.columns() == without_labels && without_labels != mapping.columns;
    check(table.columns() == mapping.columns || lacks_labels_, ExitCode::kBadData,
          "[csv] {}: expected {} columns as in the training table, or {} without the label, got {}",
          table.name(), mapping.columns, without_labels, table.columns());
  }

  std::optional<std::size_t> find(const std::string& name) const {
    if (mapping_.header) return table_.column_named(name);
    const auto index = static_cast<std::size_t>(to_integer(name).value_or(0));
    if (!lacks_labels_) return index < table_.columns() ? std::optional(index) : std::nullopt;
    std::size_t before = 0;
    for (const LabelMapping& label : mapping_.labels) {
      const auto place = static_cast<std::size_t>(to_integer(label.name).value_or(0));
      if (place == index) return std::nullopt;
      before += place < index ? 1 : 0;
    }
    return index - before < table_.columns() ? std::optional(index - before) : std::nullopt;
  }

  /// Of all names, which must be there.
  std::vector<std::size_t> find_all(const std::vector<std::string>& names, const char* what) const {
    std::vector<std::size_t> found;
    std::vector<std::string> missing;
    for (const std::string& name : names) {
      const std::optional<std::size_t> column = find(name);
      check(!table_.has_several(name) || contains(mapping_.dropped, name + ".1"),
            ExitCode::kBadData, "[csv] {}: expected one column named '{}', got several",
            table_.name(), printable(name, kShownOfCell));
      if (column) found.push_back(*column);
      if (!column) missing.push_back(name);
    }
    std::vector<std::string> there;
    for (std::size_t i = 0; i < table_.columns(); ++i) there.push_back(table_.column_name(i));
    check(missing.empty(), ExitCode::kBadData,
          "[csv] {}: expected {} {} as in the training table, got the columns {}", table_.name(),
          what, some_of(missing), some_of(there));
    return found;
  }

 private:
  const TextTable& table_;
  const TableMapping& mapping_;
  bool lacks_labels_ = false;
};

/// Writes one column's features of row after row.
class ColumnReader {
 public:
  ColumnReader(const TextTable& table, const ColumnMapping& column, std::size_t place,
               Unknown unknown)
      : table_(table), column_(column), place_(place), unknown_(unknown) {
    for (std::size_t i = 0; i < column.categories.size(); ++i) codes_[column.categories[i]] = i;
  }

  void read(std::size_t row, float* out) {
    const std::string_view cell = table_.cell(row, place_);
    const bool missing = column_.is_missing(cell, table_.cells());
    if (column_.kind == Kind::kCategories) {
      std::fill_n(out, column_.categories.size(), 0.0F);
      const std::optional<std::size_t> category = missing ? filled(row) : code(row, cell);
      if (category) out[*category] = 1;
    } else {
      *out = missing ? static_cast<float>(fill(row)) : value(row, cell);
    }
    if (column_.indicator) out[column_.width() - 1] = missing ? 1.0F : 0.0F;
  }

  std::int64_t unknown_cells() const { return unknown_cells_; }

 private:
  [[noreturn]] void refuse(std::size_t row, const std::string& expected) const {
    fail(ExitCode::kBadData, "{}: expected {}, got {}", table_.place(row, place_), expected,
         shown(table_.cell(row, place_)));
  }

  double fill(std::size_t row) const {
    if (!column_.fill) {
      refuse(row, fmt::format("a value (import the training table with --missing '{}=mean' or "
                              "another way to fill in what is missing)",
                              printable(column_.name, kShownOfCell)));
    }
    return *column_.fill;
  }

  std::optional<std::size_t> filled(std::size_t row) const {
    const double index = fill(row);
    return index < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(index));
  }

  std::optional<std::size_t> code(std::size_t row, std::string_view cell) {
    std::string name(cell);
    if (column_.numeric) {
      const std::optional<double> number = table_.cells().wide_number(cell);
      if (number) name = number_name(*number);
    }
    const auto found = codes_.find(name);
    if (found != codes_.end()) return found->second;
    if (unknown_ == Unknown::kRefuse || column_.kind == Kind::kOrdinal)
      refuse(row, fmt::format("one of {} as in the training table{}", some_of(column_.categories),
                              column_.kind == Kind::kOrdinal
                                  ? ""
                                  : " (--unknown zero takes other words for none of them)"));
    ++unknown_cells_;
    return std::nullopt;
  }

  float value(std::size_t row, std::string_view cell) {
    switch (column_.kind) {
      case Kind::kBoolean: {
        const std::optional<bool> boolean = to_boolean(cell);
        if (boolean) return *boolean ? 1.0F : 0.0F;
        const std::optional<float> number = table_.cells().number(cell);
        if (number && (*number == 0 || *number == 1)) return *number;
        refuse(row, "true or false, or yes or no");
      }
      case Kind::kDate: {
        const std::optional<Date> date = parse_date(cell, column_.order);
        if (!date) refuse(row, fmt::format("a date of the form {}", to_text(column_.order)));
        return static_cast<float>(column_.number_of(*date));
      }
      case Kind::kOrdinal:
        return static_cast<float>(*code(row, cell));
      default: {
        const std::optional<float> number = table_.cells().number(cell);
        if (!number) refuse(row, "a finite number");
        return *number;
      }
    }
  }

  const TextTable& table_;
  const ColumnMapping& column_;
  std::size_t place_;
  Unknown unknown_;
  std::unordered_map<std::string, std::size_t> codes_;
  std::int64_t unknown_cells_ = 0;
};

std::vector<std::string> names_of(const std::vector<ColumnMapping>& columns) {
  std::vector<std::string> names;
  for (const ColumnMapping& column : columns) names.push_back(column.name);
  return names;
}

template <class T>
void put(Array& array, std::size_t place, T value) {
  std::memcpy(array.bytes.data() + place * sizeof value, &value, sizeof value);
}

std::string label_place(const TextTable& table, std::size_t row, std::size_t column) {
  return fmt::format("[csv] {}, line {}, column {} (the label)", table.name(), table.line(row),
                     column + 1);
}

std::int64_t class_of(const TextTable& table, const LabelMapping& label, std::size_t row,
                      std::size_t column) {
  std::string name(table.cell(row, column));
  if (label.numeric) {
    const std::optional<double> number = table.cells().wide_number(name);
    if (number) name = number_name(*number);
  }
  const auto found = std::find(label.classes.begin(), label.classes.end(), name);
  check(found != label.classes.end(), ExitCode::kBadData,
        "{}: expected one of the classes {}, got {}", label_place(table, row, column),
        some_of(label.classes), shown(table.cell(row, column)));
  return found - label.classes.begin();
}

float number_of(const TextTable& table, std::size_t row, std::size_t column) {
  const std::string_view cell = table.cell(row, column);
  if (const std::optional<float> number = table.cells().number(cell)) return *number;
  const std::optional<bool> boolean = to_boolean(cell);
  check(boolean.has_value(), ExitCode::kBadData, "{}: expected a finite number, got {}",
        label_place(table, row, column), shown(cell));
  return *boolean ? 1.0F : 0.0F;
}

}  // namespace

MappedRows map_rows(const TextTable& table, const TableMapping& mapping,
                    const std::vector<std::size_t>& rows, Unknown unknown) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  const Places places(table, mapping);
  const std::vector<std::size_t> columns =
      places.find_all(names_of(mapping.features), "the columns");
  const std::size_t width = mapping.feature_count();
  MappedRows mapped;
  mapped.x.type = ElementType::kFloat32;
  mapped.x.rows = static_cast<std::int64_t>(rows.size());
  mapped.x.row_shape = {static_cast<std::int64_t>(width)};
  mapped.x.bytes.resize(rows.size() * width * sizeof(float));
  auto* const values = reinterpret_cast<float*>(mapped.x.bytes.data());
  std::size_t first = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnReader reader(table, mapping.features[i], columns[i], unknown);
    for (std::size_t row = 0; row < rows.size(); ++row)
      reader.read(rows[row], values + row * width + first);
    mapped.unknown += reader.unknown_cells();
    first += mapping.features[i].width();
  }
  const std::size_t none = table.columns();
  const std::size_t id = mapping.id.empty() ? none : places.find(mapping.id).value_or(none);
  if (id != none)
    for (const std::size_t row : rows) mapped.ids.emplace_back(table.cell(row, id));
  for (std::size_t i = 0; mapping.header && i < table.columns(); ++i) {
    const std::string& name = table.column_name(i);
    const bool known = std::find(columns.begin(), columns.end(), i) != columns.end() || i == id ||
                       table.index_column() == i || contains(mapping.dropped, name) ||
                       std::any_of(mapping.labels.begin(), mapping.labels.end(),
                                   [&](const LabelMapping& label) { return label.name == name; });
    if (!known) mapped.ignored.push_back(name);
  }
  return mapped;
}

MappedRows map_rows(const TextTable& table, const TableMapping& mapping, Unknown unknown) {
  std::vector<std::size_t> rows(table.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return map_rows(table, mapping, rows, unknown);
}

std::optional<std::size_t> find_column(const TextTable& table, const TableMapping& mapping,
                                       const std::string& name) {
  return Places(table, mapping).find(name);
}

Array map_labels(const TextTable& table, const TableMapping& mapping,
                 const std::vector<std::size_t>& rows) {
  std::vector<std::string> names;
  bool integers = true;
  for (const LabelMapping& label : mapping.labels) {
    names.push_back(label.name);
    integers = integers && (label.integers || !label.classes.empty());
  }
  const std::vector<std::size_t> columns = Places(table, mapping).find_all(names, "the label");
  const std::size_t width = columns.size();
  Array y;
  y.type = integers ? ElementType::kInt64 : ElementType::kFloat32;
  y.rows = static_cast<std::int64_t>(rows.size());
  if (width > 1) y.row_shape = {static_cast<std::int64_t>(width)};
  y.bytes.resize(rows.size() * width * element_size(y.type));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      const LabelMapping& label = mapping.labels[j];
      if (!label.classes.empty()) {
        put(y, i, class_of(table, label, rows[i], columns[j]));
      } else if (integers) {
        const std::string_view cell = table.cell(rows[i], columns[j]);
        const std::optional<std::int64_t> value = to_integer(cell);
        check(value.has_value(), ExitCode::kBadData,
              "{}: expected an integer as in the training table, got {}",
              label_place(table, rows[i], columns[j]), shown(cell));
        put(y, i * width + j, *value);
      } else {
        put(y, i * width + j, number_of(table, rows[i], columns[j]));
      }
    }
  }
  return y;
}

}  // namespace lockstep
