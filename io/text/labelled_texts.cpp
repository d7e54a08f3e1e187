#include "io/text/labelled_texts.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "io/text/text_lines.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

std::vector<std::string> column_of(const TextTable& table, std::size_t column,
                                   const std::vector<std::size_t>& rows) {
  std::vector<std::string> cells;
  for (const std::size_t row : rows) cells.emplace_back(table.cell(row, column));
  return cells;
}

std::vector<std::size_t> all_rows(const TextTable& table) {
  std::vector<std::size_t> rows(table.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

/// The column that the user names, or the only one that has no other use.
std::size_t text_column(const TextTable& table, const TextOptions& options) {
  if (!options.text.empty()) return table.find(options.text);
  std::vector<std::size_t> used = table.find_all(options.table.label);
  if (!options.table.id.empty()) used.push_back(table.find(options.table.id));
  if (table.index_column()) used.push_back(*table.index_column());
  std::vector<std::size_t> free;
  std::string names;
  for (std::size_t i = 0; i < table.columns(); ++i) {
    if (std::ranges::find(used, i) != used.end()) continue;
    free.push_back(i);
    names += (names.empty() ? "'" : ", '") + printable(table.column_name(i), kShownOfCell) + "'";
  }
  check(free.size() == 1, ExitCode::kUsage,
        "[import] expected --text COLUMN, which says where the texts are, of {}",
        names.empty() ? "a table with more columns than the label" : names);
  return free.front();
}

LabelledTexts read_table(const TextOptions& options, TextMapping& mapping) {
  TableOptions said = options.table;
  std::vector<std::string> wanted = said.named_columns();
  if (!options.text.empty()) wanted.push_back(options.text);
  const TextTable table(options.files.front(), said.format, wanted);
  const std::size_t column = text_column(table, options);
  NewMapping made = make_label_mapping(table, said);
  mapping.column = table.column_name(column);
  mapping.table = std::move(made.mapping);
  const auto is_label = [&](const std::string& name) {
    return std::ranges::find(mapping.table.labels, name, &LabelMapping::name) !=
           mapping.table.labels.end();
  };
  check(!is_label(mapping.column) && mapping.column != mapping.table.id, ExitCode::kUsage,
        "[import] expected --text to name another column than --label and --id, got '{}' twice",
        printable(mapping.column, kShownOfCell));
  for (std::size_t i = 0; i < table.columns(); ++i) {
    const std::string& name = table.column_name(i);
    if (i != column && name != mapping.table.id && !is_label(name))
      mapping.table.dropped.push_back(name);
  }
  LabelledTexts result{
      column_of(table, column, made.rows), map_labels(table, mapping.table, made.rows), {}};
  if (!mapping.table.id.empty())
    result.ids = column_of(table, table.find(mapping.table.id), made.rows);
  return result;
}

/// "pos" for pos.txt and pos.txt.gz.
std::string class_name(const std::filesystem::path& file) {
  return (file.extension() == ".gz" ? file.stem() : file).stem().string();
}

LabelledTexts read_lines(const TextOptions& options, TextMapping& mapping) {
  check(options.files.size() > 1, ExitCode::kUsage,
        "[import] expected at least two files with --label-by-file, one for each class, got one");
  std::vector<std::string> classes;
  for (const auto& file : options.files) classes.push_back(class_name(file));
  std::ranges::sort(classes);
  const auto twice = std::ranges::adjacent_find(classes);
  check(twice == classes.end(), ExitCode::kUsage,
        "[import] expected files of different names, which name the classes, got '{}' twice",
        twice == classes.end() ? "" : printable(*twice));
  LabelledTexts result;
  std::vector<std::int64_t> labels;
  for (const auto& file : options.files) {
    for (std::string& text : read_text_lines(file).texts) {
      result.texts.push_back(std::move(text));
      labels.push_back(std::ranges::find(classes, class_name(file)) - classes.begin());
    }
  }
  const auto bytes = std::as_bytes(std::span(labels));
  result.labels = {ElementType::kInt64,
                   static_cast<std::int64_t>(labels.size()),
                   {},
                   {bytes.begin(), bytes.end()}};
  mapping.table.labels = {{"class", std::move(classes), false, false, false}};
  return result;
}

}  // namespace

LabelledTexts read_labelled_texts(const TextOptions& options, TextMapping& mapping) {
  if (options.form == TextOptions::Form::kLines) return read_lines(options, mapping);
  check(options.files.size() == 1, ExitCode::kUsage,
        "[import] expected one table with --label COLUMN, got {} files", options.files.size());
  return read_table(options, mapping);
}

LabelledTexts read_test_texts(const std::filesystem::path& path, const TextOptions& options,
                              const TextMapping& mapping) {
  const TextTable table(path, format_for(mapping.table, options.table.format));
  return {texts_of_table(table, mapping), map_labels(table, mapping.table, all_rows(table)),
          ids_of_table(table, mapping)};
}

std::vector<std::string> texts_of_table(const TextTable& table, const TextMapping& mapping) {
  const auto column = find_column(table, mapping.table, mapping.column);
  check(column.has_value(), ExitCode::kBadData,
        "[csv] {}: expected the column '{}' with the texts as in the training table, got none",
        table.name(), printable(mapping.column, kShownOfCell));
  return column_of(table, column.value_or(0), all_rows(table));
}

std::vector<std::string> ids_of_table(const TextTable& table, const TextMapping& mapping) {
  if (mapping.table.id.empty()) return {};
  const auto column = find_column(table, mapping.table, mapping.table.id);
  return column ? column_of(table, *column, all_rows(table)) : std::vector<std::string>();
}

}  // namespace lockstep
