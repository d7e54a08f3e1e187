#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "io/import/import.hpp"

namespace lockstep {

/// Two parts of a table's rows, each in ascending order.
struct RowParts {
  std::vector<std::size_t> kept;
  std::vector<std::size_t> drawn;
};

/// Draws floor(n * fraction + 1/2) of the n rows (at least one, not all) by a seed, of every class
/// the same share, but never a class's last row. `classes` holds the class of each row, or is
/// empty: then rows are drawn without regard to classes. A pure function of its arguments. Throws
/// Error (64) if a part would be empty.
RowParts draw_rows(std::span<const std::size_t> rows, std::span<const std::int64_t> classes,
                   double fraction, std::uint64_t seed);

/// The last rows, as many as Keras's validation_split cuts off. Throws Error (64) as above.
RowParts cut_last_rows(std::span<const std::size_t> rows, double fraction);

/// Which rows of the training table are set aside.
struct TableSplit {
  double test = 0;        ///< drawn, of every class the same share
  double test_last = 0;   ///< or: the last rows
  double validation = 0;  ///< drawn, of the others
  std::uint64_t seed = 0;
};

/// A table's rows in their order, by what they are for.
struct SplitRows {
  std::vector<std::size_t> train, validation, test;
};

/// `labels`: of such rows; where they are classes, every class gives its share. Throws Error (64)
/// as above.
SplitRows split_rows(std::vector<std::size_t> rows,
                     const std::function<Array(const std::vector<std::size_t>&)>& labels,
                     const TableSplit& split);

}  // namespace lockstep
