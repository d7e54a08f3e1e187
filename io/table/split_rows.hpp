#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

}  // namespace lockstep
