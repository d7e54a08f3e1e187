// What DatasetFile reads; what it chooses is in dataset_file.cpp.

#include <algorithm>
#include <cstring>
#include <map>

#include "io/data/dataset_file.hpp"
#include "src/core/error.hpp"
#include "src/core/floating_point.hpp"

namespace lockstep {
namespace {

/// What is converted on its way goes through so many bytes at a time.
constexpr std::int64_t kBlockBytes = std::int64_t{32} << 20;

/// Copies `count` elements that lie `from_step` bytes apart to every `to_step`-th element of `out`.
void cast_column(ElementType from, const std::byte* values, std::size_t from_step, ElementType to,
                 std::byte* out, std::size_t to_step, std::size_t count) {
  if (from == to) {
    const std::size_t bytes = element_size(from);
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(out + i * to_step, values + i * from_step, bytes);
    return;
  }
  with_element_type(from, [&]<class From>() {  // `to` is float64: see common_type()
    for (std::size_t i = 0; i < count; ++i) {
      From value;
      std::memcpy(&value, values + i * from_step, sizeof value);
      const auto wide = static_cast<double>(value);
      std::memcpy(out + i * to_step, &wide, sizeof wide);
    }
  });
}

/// values: (extents..., rows), in this order; out: (rows, extents reversed...).
void transpose(std::span<const std::byte> values, const Shape& extents, std::int64_t rows,
               std::size_t size, std::span<std::byte> out) {
  const std::size_t axes = extents.size();
  std::vector<std::size_t> steps(axes);  // of the stored axes, in bytes
  std::size_t step = static_cast<std::size_t>(rows) * size;
  for (std::size_t axis = axes; axis-- > 0;) {
    steps[axis] = step;
    step *= static_cast<std::size_t>(extents[axis]);
  }
  std::byte* to = out.data();
  for (std::int64_t row = 0; row < rows; ++row) {
    Shape index(axes, 0);
    const std::byte* from = values.data() + static_cast<std::size_t>(row) * size;
    for (std::int64_t i = 0; i < element_count(extents); ++i, to += size) {
      std::memcpy(to, from, size);
      for (std::size_t axis = 0; axis < axes; ++axis) {  // the first one runs fastest
        from += steps[axis];
        if (++index[axis] < extents[axis]) break;
        from -= steps[axis] * static_cast<std::size_t>(extents[axis]);
        index[axis] = 0;
      }
    }
  }
}

}  // namespace

std::size_t DatasetFile::row_bytes() const {
  return static_cast<std::size_t>(element_count(row_shape_)) * element_size(type_);
}

std::int64_t DatasetFile::held_bytes() const {
  return series_ ? series_->held_bytes() : rows_ * static_cast<std::int64_t>(row_bytes());
}

std::int64_t DatasetFile::block_rows() const {
  const auto stored = static_cast<std::int64_t>(element_size(stored_)) * element_count(row_shape_);
  const std::int64_t rows =
      std::max<std::int64_t>(1, kBlockBytes / std::max<std::int64_t>(1, stored));
  return (rows + chunk_rows_ - 1) / chunk_rows_ * chunk_rows_;
}

void DatasetFile::read(std::int64_t first, std::int64_t count, std::span<std::byte> out) const {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  if (series_) return read_windows(first, count, out);
  if (!conventions_.packed() && !conventions_.may_miss()) return read_stored(first, count, out);
  const std::size_t row = static_cast<std::size_t>(element_count(row_shape_));
  std::vector<std::byte> stored;
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t rows = std::min(block_rows(), count - done);
    const std::size_t elements = static_cast<std::size_t>(rows) * row;
    stored.resize(elements * element_size(stored_));
    read_stored(first + done, rows, stored);
    if (find_missing(conventions_, stored_, stored).count > 0) fail_missing();
    const std::span<std::byte> part =
        out.subspan(static_cast<std::size_t>(done) * row_bytes(), elements * element_size(type_));
    if (conventions_.packed()) {
      unpack(conventions_, stored_, stored,
             std::span(reinterpret_cast<float*>(part.data()), elements));
    } else {
      std::ranges::copy(stored, part.begin());
    }
    done += rows;
  }
}

void DatasetFile::read_with_gaps(std::int64_t first, std::int64_t count,
                                 std::span<float> out) const {
  const std::size_t row = static_cast<std::size_t>(element_count(row_shape_));
  std::vector<std::byte> stored;
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t rows = std::min(block_rows(), count - done);
    const std::size_t elements = static_cast<std::size_t>(rows) * row;
    stored.resize(elements * element_size(stored_));
    read_stored(first + done, rows, stored);
    unpack(conventions_, stored_, stored,
           out.subspan(static_cast<std::size_t>(done) * row, elements));
    done += rows;
  }
}

/// Looks at all rows, so that every rank says the same.
void DatasetFile::fail_missing() const {
  const std::int64_t row_elements = element_count(row_shape_);
  MissingValues all;
  std::vector<std::byte> stored;
  for (std::int64_t first = 0; first < rows_;) {
    const std::int64_t rows = std::min(block_rows(), rows_ - first);
    stored.resize(static_cast<std::size_t>(rows * row_elements) * element_size(stored_));
    read_stored(first, rows, stored);
    const MissingValues found = find_missing(conventions_, stored_, stored);
    if (found.count > 0 && all.count == 0) {
      all.first = first + found.first / row_elements;
      all.example = found.example;
    }
    all.count += found.count;
    first += rows;
  }
  fail(
      ExitCode::kBadData,
      "[{}] expected numbers in every row, got {} that {} missing by the dataset's attributes, the "
      "first in row {} ({}); lockstep import hdf5 --missing drop (or mean) makes a file without "
      "them",
      label_, all.count, all.count == 1 ? "is" : "are", all.first, all.example);
}

/// Rows in the stored type.
void DatasetFile::read_stored(std::int64_t first, std::int64_t count,
                              std::span<std::byte> out) const {
  if (!classes_.empty()) {
    check(first >= 0 && count >= 0 && first + count <= rows_, ExitCode::kBadData,
          "[{}] expected rows within {}, got {} from {}", label_, rows_, count, first);
    const auto part = std::as_bytes(std::span(labels_).subspan(static_cast<std::size_t>(first),
                                                               static_cast<std::size_t>(count)));
    std::ranges::copy(part, out.begin());
  } else if (!columns_.empty()) {
    read_columns(first, count, out);
  } else if (selection_.transposed) {
    read_transposed(first, count, out);
  } else {
    file_.read_rows(selection_.dataset, native_, first, count, out);
  }
}

void DatasetFile::read_transposed(std::int64_t first, std::int64_t count,
                                  std::span<std::byte> out) const {
  const Shape stored_axes(row_shape_.rbegin(), row_shape_.rend());
  const std::size_t row =
      static_cast<std::size_t>(element_count(row_shape_)) * element_size(stored_);
  std::vector<std::byte> values;
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t rows = std::min(block_rows(), count - done);
    values.resize(static_cast<std::size_t>(rows) * row);
    file_.read_along_last(selection_.dataset, native_, first + done, rows, values);
    transpose(values, stored_axes, rows, element_size(stored_),
              out.subspan(static_cast<std::size_t>(done) * row, values.size()));
    done += rows;
  }
}

void DatasetFile::read_columns(std::int64_t first, std::int64_t count,
                               std::span<std::byte> out) const {
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t rows = std::min(block_rows(), count - done);
    std::byte* to =
        out.data() + static_cast<std::size_t>(done) * columns_.size() * element_size(stored_);
    for (std::size_t begin = 0; begin < columns_.size();) {  // those of one dataset at a time
      std::size_t end = begin + 1;
      while (end < columns_.size() && columns_[end].dataset == columns_[begin].dataset) ++end;
      if (columns_[begin].field.name.empty()) {
        read_block_columns(begin, end, first + done, rows, to);
      } else {
        read_record_columns(begin, end, first + done, rows, to);
      }
      begin = end;
    }
    done += rows;
  }
}

/// Columns [begin, end) of one block of a data frame.
void DatasetFile::read_block_columns(std::size_t begin, std::size_t end, std::int64_t first,
                                     std::int64_t count, std::byte* out) const {
  const std::size_t size = element_size(stored_);
  const FrameColumn& block = columns_[begin];
  const std::size_t step = element_size(*block.block_type) * static_cast<std::size_t>(block.width);
  const auto rows = static_cast<std::size_t>(count);
  std::vector<std::byte> values(rows * step);
  file_.read_rows(block.dataset, *block.block_type, first, count, values);
  for (std::size_t i = begin; i < end; ++i)
    cast_column(*block.block_type,
                values.data() +
                    static_cast<std::size_t>(columns_[i].column) * element_size(*block.block_type),
                step, stored_, out + i * size, columns_.size() * size, rows);
}

/// Columns [begin, end) out of records.
void DatasetFile::read_record_columns(std::size_t begin, std::size_t end, std::int64_t first,
                                      std::int64_t count, std::byte* out) const {
  const std::size_t size = element_size(stored_);
  std::vector<hdf5::Field> fields;
  std::map<std::string, std::size_t> offsets;  // in a record of these fields
  std::size_t record = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (!offsets.try_emplace(columns_[i].field.name, record).second) continue;
    fields.push_back(columns_[i].field);
    record += columns_[i].field.bytes();
  }
  const auto rows = static_cast<std::size_t>(count);
  std::vector<std::byte> values(rows * record);
  file_.read_fields(columns_[begin].dataset, fields, first, count, values);
  for (std::size_t i = begin; i < end; ++i) {
    const hdf5::Field& field = columns_[i].field;
    const std::size_t offset =
        offsets.at(field.name) +
        static_cast<std::size_t>(columns_[i].column) * element_size(*field.type);
    cast_column(*field.type, values.data() + offset, record, stored_, out + i * size,
                columns_.size() * size, rows);
  }
}

}  // namespace lockstep
