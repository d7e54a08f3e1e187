#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "src/core/element_type.hpp"
#include "src/core/shape.hpp"

namespace lockstep {

/// Rows of numbers in memory that somebody else owns: in a caller's array, or in a window that the
/// ranks of a host share. Row i lies behind row i - 1, or, as a window of a series, wherever it
/// begins: windows may overlap, and the series is held once.
struct ArrayView {
  ElementType type = ElementType::kFloat32;
  std::int64_t rows = 0;
  Shape row_shape;  ///< of one row; empty: one number a row
  const std::byte* data = nullptr;
  const std::int64_t* starts = nullptr;  ///< of windows: where row i begins, in rows of the series
  std::int64_t start_elements = 0;       ///< of a row of the series

  std::int64_t row_elements() const { return element_count(row_shape); }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(row_elements()) * element_size(type);
  }
  /// The number of row i's first element; `elements` is row_elements().
  std::int64_t row_begin(std::int64_t i, std::int64_t elements) const {
    return starts == nullptr ? i * elements : starts[i] * start_elements;
  }
  const std::byte* row(std::int64_t i) const {
    return data + static_cast<std::size_t>(row_begin(i, row_elements())) * element_size(type);
  }
  bool empty() const { return data == nullptr; }
  /// Rows [first, last) of it.
  ArrayView slice(std::int64_t first, std::int64_t last) const {
    if (starts == nullptr) return {type, last - first, row_shape, row(first)};
    return {type, last - first, row_shape, data, starts + first, start_elements};
  }
};

/// A view of a caller's numbers: `values` holds rows * element_count(row_shape) of them.
template <class T>
ArrayView array_view(std::span<const T> values, Shape row_shape) {
  const std::int64_t elements = element_count(row_shape);
  return {element_type_of<T>(),
          elements == 0 ? 0 : static_cast<std::int64_t>(values.size()) / elements,
          std::move(row_shape), reinterpret_cast<const std::byte*>(values.data())};
}

}  // namespace lockstep
