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

/// A view of row-major rows that lie `stride` elements apart: of a part of the columns of a matrix,
/// or of every n-th row.
template <class T>
struct StridedView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t stride = 0;

  StridedView() = default;
  StridedView(T* first, std::int64_t r, std::int64_t c, std::int64_t s)
      : data(first), rows(r), columns(c), stride(s) {}
  StridedView(T* first, std::int64_t r, std::int64_t c) : StridedView(first, r, c, c) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> StridedView(MatrixView<U> m)
      : StridedView(m.data, m.rows, m.columns) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> StridedView(StridedView<U> v)
      : StridedView(v.data, v.rows, v.columns, v.stride) {}

  bool empty() const { return data == nullptr; }
  T* row(std::int64_t i) const { return data + i * stride; }
  StridedView rows_from(std::int64_t first, std::int64_t count) const {
    return {row(first), count, columns, stride};
  }
  StridedView columns_from(std::int64_t first, std::int64_t count) const {
    return {data + first, rows, count, stride};
  }
};

using StridedMatrix = StridedView<float>;
using ConstStridedMatrix = StridedView<const float>;

/// y = x, unless they are the same memory.
inline void copy_values(ConstMatrix x, Matrix y) {
  if (x.data != y.data) std::copy_n(x.data, x.size(), y.data);
}

}  // namespace lockstep
