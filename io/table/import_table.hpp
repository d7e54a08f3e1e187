#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/import/import.hpp"
#include "io/table/make_mapping.hpp"
#include "io/table/split_rows.hpp"

namespace lockstep {

struct ImportedTable {
  DatasetArrays arrays;
  TableMapping mapping;
  std::vector<std::string> report;    ///< lines that say what was taken for what
  std::vector<std::string> warnings;  ///< of what is likely wrong
};

/// What names the rows, as numbers if all are integers.
RowNames row_names(std::vector<std::string> ids);

/// A training table and, unless its path is empty, a test table of the same columns. Throws Error:
/// 64, 65, 66, 74, 77.
ImportedTable import_table(const std::filesystem::path& train, const std::filesystem::path& test,
                           const TableOptions& options, const TableSplit& split, Unknown unknown);

}  // namespace lockstep
