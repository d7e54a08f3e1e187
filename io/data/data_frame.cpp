#include "io/data/data_frame.hpp"

#include <algorithm>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// The strings of a list of strings as pickle's protocol 0 writes it: each stands on a line of its
/// own behind V (Unicode) or S (bytes, quoted). Nothing is executed; other opcodes are passed over.
std::vector<std::string> pickled_strings(const std::string& pickle) {
  std::vector<std::string> strings;
  for (std::size_t at = 0; at < pickle.size();) {
    const std::size_t end = std::min(pickle.find('\n', at), pickle.size());
    std::string line = pickle.substr(at, end - at);
    at = end + 1;
    // A line may begin with opcodes of one byte: "(lp0", "aVname", "tVname".
    const std::size_t start = line.find_first_not_of("(altde0]");
    if (start == line.npos) continue;
    if (line[start] == 'V') strings.push_back(line.substr(start + 1));
    if (line[start] == 'S' && line.size() >= start + 3)
      strings.push_back(line.substr(start + 2, line.size() - start - 3));
  }
  return strings;
}

/// The names of a block's columns, which a numeric index lacks.
std::string name_of(const std::vector<std::string>& names, std::int64_t column) {
  const auto i = static_cast<std::size_t>(column);
  return i < names.size() ? names[i] : std::to_string(column);
}

std::vector<std::string> texts_or_numbers(const hdf5::File& file, const std::string& path) {
  const hdf5::DatasetInfo info = file.dataset_info(path);
  if (info.text) return file.read_texts(path);
  std::vector<std::string> names;
  if (!info.type || !is_integer(*info.type) || info.extents.size() != 1) return names;
  with_element_type(*info.type, [&]<class T>() {
    std::vector<T> values(static_cast<std::size_t>(info.extents[0]));
    file.read_rows(path, *info.type, 0, info.extents[0], std::as_writable_bytes(std::span(values)));
    for (const T value : values) names.push_back(std::to_string(value));
  });
  return names;
}

/// Format `fixed`: axis0 names the columns, block<i>_items those of block<i>_values.
std::vector<FrameColumn> fixed_columns(const hdf5::File& file, const std::string& group) {
  std::vector<FrameColumn> columns;
  for (int block = 0; file.exists(fmt::format("{}/block{}_values", group, block)); ++block) {
    const std::string values = fmt::format("{}/block{}_values", group, block);
    const auto names = texts_or_numbers(file, fmt::format("{}/block{}_items", group, block));
    for (std::size_t i = 0; i < names.size(); ++i)
      columns.push_back({names[i], values, {}, static_cast<std::int64_t>(i), {}, 0});
  }
  const std::vector<std::string> order = texts_or_numbers(file, group + "/axis0");
  std::ranges::stable_sort(columns, {}, [&](const FrameColumn& column) {
    return std::ranges::find(order, column.name) - order.begin();
  });
  return columns;
}

/// Format `table`: records with an index, data columns, and arrays of columns of one type.
std::vector<FrameColumn> table_columns(const hdf5::File& file, const std::string& group) {
  const std::string path = group + "/table";
  std::vector<FrameColumn> columns;
  for (const hdf5::Field& field : file.dataset_info(path).fields) {
    if (field.name == "index") continue;
    if (field.extents.empty()) {
      columns.push_back({field.name, path, field, 0, {}, 0});
      continue;
    }
    const auto names = pickled_strings(file.text_or_nothing(path, field.name + "_kind"));
    for (std::int64_t i = 0; i < element_count(field.extents); ++i)
      columns.push_back(
          {field.extents == Shape{1} && names.empty() ? field.name : name_of(names, i),
           path,
           field,
           i,
           {},
           0});
  }
  return columns;
}

}  // namespace

std::vector<FrameColumn> frame_columns(const hdf5::File& file, const std::string& group) {
  const std::string kind = file.text_or_nothing(group, "pandas_type");
  if (kind == "frame") return fixed_columns(file, group);
  if (kind == "frame_table" || kind == "appendable_frame") return table_columns(file, group);
  fail(ExitCode::kBadData,
       "[{}:{}] expected a data frame of pandas, got pandas_type '{}'; name one of its datasets",
       file.name(), printable(group), printable(kind));
}

}  // namespace lockstep
