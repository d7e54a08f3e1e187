#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/text/import_text.hpp"

namespace lockstep {

/// Texts with their labels, in the order of the file.
struct LabelledTexts {
  std::vector<std::string> texts;
  Array labels;
  std::vector<std::string> ids;  ///< empty: nothing names the texts
};

/// Sets what `mapping` says of tables and labels. Throws Error: 64, 65, 66, 74, 77.
LabelledTexts read_labelled_texts(const TextOptions& options, TextMapping& mapping);
/// A second table, by the mapping of the first one.
LabelledTexts read_test_texts(const std::filesystem::path& path, const TextOptions& options,
                              const TextMapping& mapping);

/// The cells of a table in the mapping's column, which must be there: Error (65).
std::vector<std::string> texts_of_table(const TextTable& table, const TextMapping& mapping);
/// What names them: the cells of the mapping's id column; empty if there is none.
std::vector<std::string> ids_of_table(const TextTable& table, const TextMapping& mapping);

}  // namespace lockstep
