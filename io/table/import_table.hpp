#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/import/import.hpp"
#include "io/table/make_mapping.hpp"

namespace lockstep {

/// Which rows of the training table are set aside.
struct TableSplit {
  double test = 0;        ///< drawn, of every class the same share
  double test_last = 0;   ///< or: the last rows
  double validation = 0;  ///< drawn, of the others
  std::uint64_t seed = 0;
};

struct ImportedTable {
  DatasetArrays arrays;
  TableMapping mapping;
  std::vector<std::string> report;    ///< lines that say what was taken for what
  std::vector<std::string> warnings;  ///< of what is likely wrong
};

/// A training table and, unless its path is empty, a test table of the same columns. Throws Error:
/// 64, 65, 66, 74, 77.
ImportedTable import_table(const std::filesystem::path& train, const std::filesystem::path& test,
                           const TableOptions& options, const TableSplit& split, Unknown unknown);

}  // namespace lockstep
