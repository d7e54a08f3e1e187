#include "io/table/table_mapping.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using Kind = ColumnMapping::Kind;

constexpr int kFormat = 1;
constexpr auto kKinds = std::to_array<std::pair<Kind, const char*>>({
    {Kind::kNumber, "number"},
    {Kind::kBoolean, "boolean"},
    {Kind::kDate, "date"},
    {Kind::kCategories, "categories"},
    {Kind::kOrdinal, "ordinal"},
});

Kind kind_from_text(const std::string& text) {
  for (const auto& [kind, name] : kKinds)
    if (text == name) return kind;
  fail(ExitCode::kBadData, "expected a kind of column, got '{}'", text);
}

ordered_json column_to_json(const ColumnMapping& column) {
  ordered_json json = {{"name", column.name}};
  for (const auto& [kind, name] : kKinds)
    if (kind == column.kind) json["kind"] = name;
  if (!column.categories.empty()) json["categories"] = column.categories;
  if (column.numeric) json["numeric"] = true;
  if (column.kind == Kind::kDate) {
    json["order"] = to_text(column.order);
    json["unit"] = column.unit();
  }
  json["missing"] = column.missing;
  if (column.fill) json["fill"] = *column.fill;
  if (column.indicator) json["indicator"] = true;
  return json;
}

ColumnMapping column_from_json(const ordered_json& json) {
  ColumnMapping column;
  column.name = json.at("name");
  column.kind = kind_from_text(json.at("kind"));
  column.categories = json.value("categories", std::vector<std::string>());
  column.numeric = json.value("numeric", false);
  if (column.kind == Kind::kDate) {
    const auto order = date_order_from_text(json.at("order").get<std::string>());
    check(order.has_value(), ExitCode::kBadData, "expected an order of dates");
    column.order = *order;
    const std::string unit = json.at("unit");
    constexpr std::string_view kSeconds = "seconds since ";
    column.has_times = unit.starts_with(kSeconds);
    const std::optional<Date> origin =
        column.has_times ? parse_date(unit.substr(kSeconds.size()), DateOrder::kYearMonthDay)
                         : std::optional(Date());
    check(origin.has_value(), ExitCode::kBadData, "expected a unit of dates, got '{}'",
          printable(unit));
    column.origin = origin->days;
  }
  column.missing = json.at("missing");
  if (json.contains("fill")) column.fill = json.at("fill").get<double>();
  column.indicator = json.value("indicator", false);
  const auto categories = static_cast<double>(column.categories.size());
  check(column.kind != Kind::kCategories || !column.fill ||
            (*column.fill >= -1 && *column.fill < categories),
        ExitCode::kBadData, "expected the index of a category, got {}", column.fill.value_or(0));
  return column;
}

ordered_json label_to_json(const LabelMapping& label) {
  ordered_json json = {{"name", label.name}};
  if (!label.classes.empty()) json["classes"] = label.classes;
  if (label.numeric) json["numeric"] = true;
  if (label.integers) json["integers"] = true;
  if (label.is_zero_or_one) json["zero_or_one"] = true;
  return json;
}

WindowRule windows_from_json(const ordered_json& json) {
  WindowRule rule{json.at("length"), json.at("horizon"), json.at("step"), json.value("group", "")};
  constexpr std::int64_t kMost = 1'000'000'000;
  check(rule.length >= 1 && rule.horizon >= 0 && rule.step >= 1 && rule.length <= kMost &&
            rule.horizon <= kMost && rule.step <= kMost,
        ExitCode::kBadData, "expected windows of at least one row, got {}", json.dump());
  return rule;
}

TableMapping mapping_from_json(const ordered_json& json) {
  check(json.at("format") == kFormat, ExitCode::kBadData, "expected format {}, got {}", kFormat,
        json.at("format").dump());
  TableMapping mapping;
  mapping.header = json.at("header");
  mapping.columns = json.at("columns");
  mapping.decimal = json.at("decimal") == "," ? ',' : '.';
  mapping.missing_marks = json.value("missing_marks", std::vector<std::string>());
  for (const auto& column : json.at("features"))
    mapping.features.push_back(column_from_json(column));
  for (const auto& label : json.at("labels")) {
    mapping.labels.push_back({label.at("name"), label.value("classes", std::vector<std::string>()),
                              label.value("numeric", false), label.value("integers", false),
                              label.value("zero_or_one", false)});
  }
  mapping.id = json.value("id", "");
  mapping.dropped = json.value("dropped", std::vector<std::string>());
  if (json.contains("windows")) mapping.windows = windows_from_json(json["windows"]);
  return mapping;
}

}  // namespace

bool ColumnMapping::is_missing(std::string_view cell, const CellFormat& format) const {
  return format.is_missing(cell) &&
         std::find(categories.begin(), categories.end(), cell) == categories.end();
}

double ColumnMapping::number_of(const Date& date) const {
  const auto days = static_cast<double>(date.days - origin);
  return has_times ? days * 86400 + date.seconds : days;
}

std::string ColumnMapping::unit() const {
  return (has_times ? "seconds since " : "days since ") + day_text(origin);
}

std::vector<std::string> ColumnMapping::feature_names() const {
  std::vector<std::string> names;
  if (kind == Kind::kCategories) {
    for (const std::string& category : categories) names.push_back(name + "=" + category);
  } else {
    names.push_back(name);
  }
  if (indicator) names.push_back(name + " missing");
  return names;
}

std::size_t TableMapping::feature_count() const {
  std::size_t count = 0;
  for (const ColumnMapping& column : features) count += column.width();
  return count;
}

std::vector<std::string> TableMapping::feature_names() const {
  std::vector<std::string> names;
  for (const ColumnMapping& column : features)
    for (std::string& name : column.feature_names()) names.push_back(std::move(name));
  return names;
}

const std::vector<std::string>& TableMapping::classes() const {
  static const std::vector<std::string> kNone;
  return labels.size() == 1 ? labels.front().classes : kNone;
}

std::string to_json_text(const TableMapping& mapping) {
  ordered_json json = {{"format", kFormat},
                       {"header", mapping.header},
                       {"columns", mapping.columns},
                       {"decimal", std::string(1, mapping.decimal)}};
  if (!mapping.missing_marks.empty()) json["missing_marks"] = mapping.missing_marks;
  json["features"] = ordered_json::array();
  for (const ColumnMapping& column : mapping.features)
    json["features"].push_back(column_to_json(column));
  json["labels"] = ordered_json::array();
  for (const LabelMapping& label : mapping.labels) json["labels"].push_back(label_to_json(label));
  if (!mapping.id.empty()) json["id"] = mapping.id;
  if (!mapping.dropped.empty()) json["dropped"] = mapping.dropped;
  if (mapping.windows.length > 0) {
    json["windows"] = {{"length", mapping.windows.length},
                       {"horizon", mapping.windows.horizon},
                       {"step", mapping.windows.step}};
    if (!mapping.windows.group.empty()) json["windows"]["group"] = mapping.windows.group;
  }
  json["feature_names"] = mapping.feature_names();
  return json.dump();
}

TableMapping table_mapping_from_json(const std::string& text, const std::string& where,
                                     bool of_texts) {
  try {
    TableMapping mapping = mapping_from_json(ordered_json::parse(text));
    check(!mapping.features.empty() || of_texts, ExitCode::kBadData,
          "expected at least one feature, got none");
    return mapping;
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::kBadData,
         "[{}] expected the mapping of a table as lockstep import writes it: {}", where,
         error.what());
  } catch (const Error& error) {
    fail(error.code(), "[{}] in the mapping of a table: {}", where, error.what());
  }
}

TableFormat format_for(const TableMapping& mapping, const TableFormat& said) {
  TableFormat format;
  format.header = mapping.header;
  format.columns = mapping.columns;
  format.separator = said.separator;
  // A table with decimal points may be read by a mapping of commas only if it says so itself.
  if (mapping.decimal == ',') format.decimal = ',';
  if (said.decimal) format.decimal = said.decimal;
  format.missing_marks = mapping.missing_marks;
  return format;
}

}  // namespace lockstep
