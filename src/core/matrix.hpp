#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace lockstep {

/// A view of row-major rows without gaps; it owns nothing. Activations are seen as
/// (rows, features): a layer knows the inner shape of its features.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  bool empty() const { return data == nullptr; }
  std::int64_t size() const { return rows * columns; }
  T* row(std::int64_t i) const { return data + i * columns; }
  std::span<T> flat() const { return {data, static_cast<std::size_t>(size())}; }

  MatrixView rows_from(std::int64_t first, std::int64_t count) const {
    return {empty() ? nullptr : row(first), count, columns};
  }
  /// The same elements as rows of another length, e.g. (batch, T * D) as (batch * T, D).
  MatrixView with_columns(std::int64_t new_columns) const {
    return {data, new_columns == 0 ? 0 : size() / new_columns, new_columns};
  }

  operator MatrixView<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns};
  }
};

using Matrix = MatrixView<float>;
using ConstMatrix = MatrixView<const float>;

/// y = x, unless they are the same memory.
inline void copy_values(ConstMatrix x, Matrix y) {
  if (x.data != y.data) std::copy_n(x.data, x.size(), y.data);
}

}  // namespace lockstep
