#pragma once

#include "io/table/import_table.hpp"
#include "io/table/windows.hpp"

namespace lockstep {

/// The rows of a table by series: rows of one group in their order, the groups as they first
/// appear.
struct SeriesOrder {
  std::vector<std::size_t> rows;
  std::vector<SeriesRows> series;  ///< in `rows`
};
/// Throws Error (65) if the table lacks the rule's group column.
SeriesOrder order_by_group(const TextTable& table, const TableMapping& mapping,
                           const std::vector<std::size_t>& rows);

/// Windows of synthetic_series(), as import_windows() would cut them out of a table with the column
/// `value`, whose last `test_rows` rows are for tests.
ImportedTable import_series(std::int64_t rows, std::int64_t test_rows, std::uint64_t seed,
                            const WindowRule& rule);

/// Windows of a training table by made.mapping.windows. Throws Error: 64, 65.
ImportedTable import_windows(const TextTable& table, NewMapping made, const TableSplit& split);

}  // namespace lockstep
