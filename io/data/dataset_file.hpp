#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "io/data/array_view.hpp"
#include "io/hdf5/hdf5.hpp"

namespace lockstep {

/// One array of a dataset file: first axis = samples, any number type, either byte order.
class DatasetFile {
 public:
  /// Opens the file and checks the dataset without reading it. Throws Error: 66, 77, 65 (see
  /// hdf5::File); 65 also for no rows, a scalar, or a type that is not a number (naming it).
  DatasetFile(const std::filesystem::path& path, const std::string& dataset, bool trust = false);

  ElementType type() const { return type_; }  ///< as held in memory
  std::int64_t rows() const { return rows_; }
  const Shape& row_shape() const { return row_shape_; }
  std::size_t row_bytes() const;
  /// "FILE:/x_train", for messages.
  const std::string& label() const { return label_; }

  /// Rows [first, first + count) into memory that the caller owns.
  void read(std::int64_t first, std::int64_t count, std::span<std::byte> out) const;

 private:
  hdf5::File file_;
  std::string dataset_;
  std::string label_;
  ElementType type_ = ElementType::kFloat32;
  std::int64_t rows_ = 0;
  Shape row_shape_;
};

}  // namespace lockstep
