#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/data/array_view.hpp"
#include "src/core/matrix.hpp"
#include "src/core/range.hpp"
#include "src/layers/rescaling.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// x and y of the same rows, in memory, and how much the loss of each counts, if it is not the same
/// of all: a weight of each row, or of each of its positions.
struct ArrayDataset {
  ArrayView x;
  ArrayView y;
  ArrayView weights = {};

  std::int64_t rows() const { return x.rows; }
  bool is_weighted() const { return !weights.empty(); }
  ArrayDataset slice(std::int64_t first, std::int64_t last) const {
    return {x.slice(first, last), y.slice(first, last),
            is_weighted() ? weights.slice(first, last) : weights};
  }
};

/// out.row(i) = float32(rows[i] of `source`), rounded to nearest, then scaled. out: (rows.size(),
/// row_elements); of the other columns than `columns` nothing is written.
void gather_rows(const ArrayView& source, std::span<const std::int64_t> rows, Matrix out,
                 Range columns, Scaling scaling);
void gather_rows(const ArrayView& source, std::span<const std::int64_t> rows, Matrix out,
                 Scaling scaling = {});
/// Asks the memory for these columns of rows, which will be gathered soon.
void prefetch_rows(const ArrayView& source, std::span<const std::int64_t> rows, Range columns);

/// Bytes [first, first + count) of all rows as if they lay one behind the other. They are copied
/// to `room` only if they do not.
std::span<const std::byte> row_bytes(const ArrayView& source, std::size_t first, std::size_t count,
                                     std::vector<std::byte>& room);

/// Gathers targets in the kind that the loss wants, into memory planned once.
class TargetLoader {
 public:
  /// positions: per sample; columns: K.
  TargetLoader(TargetKind kind, std::int64_t max_rows, std::int64_t positions,
               std::int64_t columns);
  Targets gather(const ArrayView& y, std::span<const std::int64_t> rows);
  /// The same with their weights.
  Targets gather(const ArrayDataset& data, std::span<const std::int64_t> rows);

 private:
  TargetKind kind_;
  std::int64_t positions_;
  std::int64_t columns_;
  std::vector<std::int32_t> classes_;
  std::vector<float> values_;
  std::size_t most_;  ///< positions
  std::vector<float> weights_;
};

/// What a scan of a range of rows found: numbers that must not be there.
struct Findings {
  std::int64_t count = 0;
  std::int64_t first_row = -1;  ///< the lowest row with one
  std::int64_t position = -1;   ///< where in that row
  std::string example;          ///< that value: "nan", "12", "3.5"
};

/// NaN and Inf in rows [first, last) of x.
Findings find_not_finite(const ArrayView& x, std::int64_t first, std::int64_t last);
/// Numbers in rows [first, last) that are not from `low` to `high`; NaN is one.
Findings find_outside(const ArrayView& y, std::int64_t first, std::int64_t last, double low,
                      double high);
/// Labels in rows [first, last) that are not exact integers in [0, classes).
Findings find_bad_labels(const ArrayView& y, std::int64_t first, std::int64_t last,
                         std::int64_t classes);

/// That x and y fit the network's input (row elements and shape: (28, 28) fits an input (784) only
/// through Flatten or Reshape) and its targets; throws Error (65) with both shapes. `x_label`,
/// `y_label` name them in messages.
void check_shapes(const ArrayView& x, const ArrayView& y, const Shape& input_shape,
                  const Shape& output_shape, TargetKind kind, const std::string& x_label,
                  const std::string& y_label);
/// That there is a weight of each row of y, or of each position of the output.
void check_weight_shape(const ArrayView& weights, const ArrayView& y, const Shape& output_shape,
                        const std::string& label, const std::string& y_label);

}  // namespace lockstep
