#include "io/data/data_frame.hpp"

#include <algorithm>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// The names in a list as pickle's protocol 0 writes it: each stands on a line of its own behind V
/// (Unicode), S (bytes, quoted), I or L (integers; 7L). Nothing is executed; other opcodes are
/// passed over.
std::vector<std::string> pickled_names(const std::string& pickle) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < pickle.size();) {
    const std::size_t end = std::min(pickle.find('\n', at), pickle.size());
    std::string line = pickle.substr(at, end - at);
    at = end + 1;
    // A line may begin with opcodes of one byte: "(lp0", "aVname", "tVname", "aI2".
    const std::size_t start = line.find_first_not_of("(altde0]");
    if (start == line.npos) continue;
    if (line[start] == 'V' || line[start] == 'I') names.push_back(line.substr(start + 1));
    if (line[start] == 'L')
      names.push_back(line.substr(start + 1, line.find('L', start + 1) - start - 1));
    if (line[start] == 'S' && line.size() >= start + 3)
      names.push_back(line.substr(start + 2, line.size() - start - 3));
  }
  return names;
}

void check_width(const hdf5::File& file, const std::string& block, std::int64_t width,
                 std::size_t names) {
  check(width == static_cast<std::int64_t>(names), ExitCode::kBadData,
        "[{}:{}] expected the names of the {} columns of the data frame, got {} that can be read; "
        "name them by words or integers, or write the rows as a plain dataset",
        file.name(), printable(block), width, names);
}

/// A name that stands for two columns selects neither.
void check_names(const hdf5::File& file, const std::string& group,
                 const std::vector<FrameColumn>& columns) {
  std::vector<std::string> names;
  for (const FrameColumn& column : columns) names.push_back(column.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  check(twice == names.end(), ExitCode::kBadData,
        "[{}:{}] expected columns of different names in the data frame, got two named '{}'",
        file.name(), printable(group), twice == names.end() ? "" : printable(*twice));
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
    const Shape extents = file.dataset_info(values).extents;  // of one axis: pickled objects
    if (extents.size() == 2) check_width(file, values, extents[1], names.size());
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
    auto names = pickled_names(file.text_or_nothing(path, field.name + "_kind"));
    if (names.empty() && field.extents == Shape{1}) names = {field.name};
    check_width(file, path + "." + field.name, element_count(field.extents), names.size());
    for (std::size_t i = 0; i < names.size(); ++i)
      columns.push_back({names[i], path, field, static_cast<std::int64_t>(i), {}, 0});
  }
  return columns;
}

}  // namespace

std::vector<FrameColumn> frame_columns(const hdf5::File& file, const std::string& group) {
  const std::string kind = file.text_or_nothing(group, "pandas_type");
  const bool table = kind == "frame_table" || kind == "appendable_frame";
  check(table || kind == "frame", ExitCode::kBadData,
        "[{}:{}] expected a data frame of pandas, got pandas_type '{}'; name one of its datasets",
        file.name(), printable(group), printable(kind));
  auto columns = table ? table_columns(file, group) : fixed_columns(file, group);
  check_names(file, group, columns);
  return columns;
}

}  // namespace lockstep
