#include "io/data/dataset_selection.hpp"

#include <string_view>

namespace lockstep {
namespace {

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == text.npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

/// "a", or "[a, b]".
std::vector<std::string> field_names(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return {std::string(text)};
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> names;
  while (true) {
    const std::size_t comma = text.find(',');
    names.push_back(trimmed(text.substr(0, comma)));
    if (comma == text.npos) return names;
    text.remove_prefix(comma + 1);
  }
}

/// Whether `path` has fields: a compound, or the group of a data frame.
bool has_fields(const hdf5::File& file, const std::string& path) {
  return file.is_group(path) ? file.has_attribute(path, "pandas_type") : file.is_compound(path);
}

}  // namespace

DatasetSelection select_dataset(const hdf5::File& file, const std::string& name) {
  if (file.exists(name)) return {name, {}, false, false};
  // The fields stand behind the first dot that a dataset ends at; their names may have dots.
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const std::string path = name.substr(0, dot);
    const std::string rest = name.substr(dot + 1);
    if (path.empty() || rest.empty() || !file.exists(path)) continue;
    if (has_fields(file, path)) {
      if (rest == "*") return {path, {}, true, false};
      return {path, field_names(rest), false, false};
    }
    if (rest == "T" && !file.is_group(path)) return {path, {}, false, true};
  }
  return {name, {}, false, false};
}

std::string transposed_name(const std::string& name) {
  return name.ends_with(".T") ? name : name + ".T";
}

}  // namespace lockstep
