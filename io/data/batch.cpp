#include "io/data/batch.hpp"

#include <algorithm>
#include <cstring>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {

void gather_rows(const ArrayView& source, std::span<const std::int64_t> rows, Matrix out,
                 Range columns, Scaling scaling) {
  const std::int64_t elements = columns.count();
  const Kernels& kernel = kernels();
  with_element_type(source.type, [&]<class T>() {
    const T* const first = reinterpret_cast<const T*>(source.data);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const T* from = first + source.row_begin(rows[i], out.columns) + columns.first;
      float* to = out.row(static_cast<std::int64_t>(i)) + columns.first;
      if constexpr (std::is_same_v<T, std::uint8_t>) {
        kernel.scaled_bytes(from, to, elements, scaling.scale, scaling.offset);
        continue;
      } else if constexpr (std::is_same_v<T, float>) {
        std::memcpy(to, from, static_cast<std::size_t>(elements) * sizeof(float));
      } else {
        for (std::int64_t k = 0; k < elements; ++k) to[k] = static_cast<float>(from[k]);
      }
      if (!scaling.changes_nothing())
        kernel.scale_shift(to, to, elements, scaling.scale, scaling.offset);
    }
  });
}

void gather_rows(const ArrayView& source, std::span<const std::int64_t> rows, Matrix out,
                 Scaling scaling) {
  gather_rows(source, rows, out, {0, out.columns}, scaling);
}

void prefetch_rows(const ArrayView& source, std::span<const std::int64_t> rows, Range columns) {
  constexpr std::size_t kLine = 64;
  const std::int64_t row_elements = source.row_elements();
  const std::size_t size = element_size(source.type);
  const std::size_t skip = static_cast<std::size_t>(columns.first) * size;
  const std::size_t bytes = static_cast<std::size_t>(columns.count()) * size;
  for (const std::int64_t row : rows) {
    const std::byte* const from =
        source.data + static_cast<std::size_t>(source.row_begin(row, row_elements)) * size + skip;
    for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(from + at, 0, 2);
  }
}

std::span<const std::byte> row_bytes(const ArrayView& source, std::size_t first, std::size_t count,
                                     std::vector<std::byte>& room) {
  if (source.starts == nullptr) return {source.data + first, count};
  const std::size_t row = source.row_bytes();
  room.clear();
  while (room.size() < count) {
    const std::size_t at = first + room.size();
    const std::byte* from = source.row(static_cast<std::int64_t>(at / row)) + at % row;
    room.insert(room.end(), from, from + std::min(row - at % row, count - room.size()));
  }
  return room;
}

TargetLoader::TargetLoader(TargetKind kind, std::int64_t max_rows, std::int64_t positions,
                           std::int64_t columns)
    : kind_(kind),
      positions_(positions),
      columns_(columns),
      most_(static_cast<std::size_t>(max_rows * positions)) {
  if (kind == TargetKind::kClasses) {
    classes_.resize(most_);
  } else {
    values_.resize(most_ * static_cast<std::size_t>(columns));
  }
}

// Labels are converted as they are: find_bad_labels() has seen them before the first step.
Targets TargetLoader::gather(const ArrayView& y, std::span<const std::int64_t> rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  if (kind_ == TargetKind::kValues) {
    const Matrix values{values_.data(), count, positions_ * columns_};
    gather_rows(y, rows, values);
    return {{}, values.with_columns(columns_)};
  }
  with_element_type(y.type, [&]<class T>() {
    const T* const first = reinterpret_cast<const T*>(y.data);
    std::int32_t* to = classes_.data();
    for (const std::int64_t row : rows) {
      const T* from = first + y.row_begin(row, positions_);
      for (std::int64_t k = 0; k < positions_; ++k) *to++ = static_cast<std::int32_t>(from[k]);
    }
  });
  return {std::span(classes_).first(rows.size() * static_cast<std::size_t>(positions_)), {}};
}

Targets TargetLoader::gather(const ArrayDataset& data, std::span<const std::int64_t> rows) {
  Targets targets = gather(data.y, rows);
  if (!data.is_weighted()) return targets;
  weights_.resize(most_);
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t of_row = data.weights.row_elements();
  gather_rows(data.weights, rows, {weights_.data(), count, of_row});
  if (of_row < positions_)  // one for all of them
    for (std::int64_t row = count; row-- > 0;)
      std::fill_n(weights_.begin() + row * positions_, positions_,
                  weights_[static_cast<std::size_t>(row)]);
  targets.weights = std::span(weights_).first(static_cast<std::size_t>(count * positions_));
  return targets;
}

}  // namespace lockstep
