#include "io/data/table_write.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// "output_1_0" for element 3 of shape (2, 3).
std::string name_of_element(std::int64_t element, const Shape& shape) {
  std::string name;
  for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent) {
    name = fmt::format("_{}{}", element % *extent, name);
    element /= *extent;
  }
  return "output" + name;
}

bool needs_quotes(std::string_view field, char separator) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (field.empty()) return false;
  return is_blank(field.front()) || is_blank(field.back()) ||
         field.find_first_of("\"\r\n") != std::string_view::npos ||
         field.find(separator) != std::string_view::npos;
}

}  // namespace

std::vector<std::string> column_names(const Shape& row_shape, const TableLabels& labels) {
  const std::int64_t count = element_count(row_shape);
  if (!labels.columns.empty()) {
    check(std::ssize(labels.columns) == count, ExitCode::kBadData,
          "[table] expected a name for each of {} outputs, got {}", count, labels.columns.size());
    return labels.columns;
  }
  if (std::ssize(labels.classes) == count) return labels.classes;
  if (count == 1) return {"output"};
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) names.push_back(name_of_element(i, row_shape));
  return names;
}

std::string table_field(std::string_view text, char separator) {
  if (!needs_quotes(text, separator)) return std::string(text);
  std::string field = "\"";
  for (const char c : text) field.append(c == '"' ? 2 : 1, c);
  return field + '"';
}

std::string predicted_class(std::span<const float> outputs, std::span<const std::string> classes) {
  const bool two = outputs.size() == 1 && classes.size() == 2;
  check(two || (!outputs.empty() && outputs.size() == classes.size()), ExitCode::kBadData,
        "[table] expected as many class names as outputs, got {} and {}", classes.size(),
        outputs.size());
  if (std::ranges::any_of(outputs, [](float value) { return std::isnan(value); })) return "";
  if (two) return classes[outputs[0] > 0.5F ? 1 : 0];
  return classes[static_cast<std::size_t>(std::ranges::max_element(outputs) - outputs.begin())];
}

TableText::TableText(char separator, const Shape& row_shape, TableLabels labels)
    : separator_(separator), labels_(std::move(labels)) {
  if (!labels_.ids.empty()) add_field(labels_.id_name);
  if (!labels_.classes.empty()) add_field(labels_.predicted_name);
  for (const std::string& name : column_names(row_shape, labels_)) add_field(name);
  end_line();
}

void TableText::add(ConstMatrix rows) {
  for (std::int64_t i = 0; i < rows.rows; ++i, ++next_row_) {
    const std::span<const float> row(rows.row(i), static_cast<std::size_t>(rows.columns));
    if (!labels_.ids.empty()) add_field(labels_.ids.at(next_row_));
    if (!labels_.classes.empty()) add_field(predicted_class(row, labels_.classes));
    for (const float value : row) {
      begin_field();
      fmt::format_to(std::back_inserter(text_), "{}", value);
    }
    end_line();
  }
}

void TableText::begin_field() {
  if (line_has_fields_) text_ += separator_;
  line_has_fields_ = true;
}

void TableText::end_line() {
  text_ += '\n';
  line_has_fields_ = false;
}

void TableText::add_field(std::string_view field) {
  begin_field();
  text_ += table_field(field, separator_);
}

}  // namespace lockstep
