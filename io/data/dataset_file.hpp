#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/data/array_view.hpp"
#include "io/data/conventions.hpp"
#include "io/data/data_frame.hpp"
#include "io/data/dataset_selection.hpp"
#include "io/hdf5/hdf5.hpp"

namespace lockstep {

/// One array of a dataset file: first axis = samples, any number type, either byte order; a
/// dataset, fields of a compound, columns of a data frame, or strings as classes (see
/// DatasetSelection). Packed numbers are unpacked to float32. Or windows of a series, which another
/// dataset of the file holds once: see windows.hpp.
class DatasetFile {
 public:
  /// Opens the file and checks the dataset without reading it, but for strings. Throws Error: 66,
  /// 77, 65 (see hdf5::File and read_conventions); 65 also for no rows, a scalar, rows that were
  /// never written (unless the file is trusted), or a type that is not a number (naming it).
  DatasetFile(const std::filesystem::path& path, const std::string& name, bool trust = false);

  ElementType type() const { return type_; }  ///< as held in memory
  std::int64_t rows() const { return rows_; }
  const Shape& row_shape() const { return row_shape_; }
  std::size_t row_bytes() const;
  /// "FILE:/x_train", for messages.
  const std::string& label() const { return label_; }
  /// If the array holds strings: what class i is called, sorted. Rows are int32 then.
  const std::vector<std::string>& classes() const { return classes_; }
  /// What was done to the stored numbers, or left undone: one sentence each.
  const std::vector<std::string>& notes() const { return notes_; }

  /// If the rows are windows: the series that they are cut from, and the row of it that each begins
  /// at. Else null and empty.
  const DatasetFile* series() const { return series_.get(); }
  const std::vector<std::int64_t>& starts() const { return starts_; }
  /// What a host holds of it, in bytes: of windows, the series.
  std::int64_t held_bytes() const;

  /// Rows [first, first + count) into memory that the caller owns. Throws Error (65) if one of them
  /// is missing by the dataset's attributes, with the count and the first row of all.
  void read(std::int64_t first, std::int64_t count, std::span<std::byte> out) const;
  /// The same as float32, with NaN where something is missing.
  void read_with_gaps(std::int64_t first, std::int64_t count, std::span<float> out) const;

 private:
  void choose_dataset(bool trust);
  void choose_fields(const hdf5::DatasetInfo& info);
  void choose_columns();
  void read_classes(const std::string& field);
  void choose_whole(const hdf5::DatasetInfo& info);
  void choose_windows();
  void read_windows(std::int64_t first, std::int64_t count, std::span<std::byte> out) const;
  void check_rows(const hdf5::DatasetInfo& info) const;
  void check_written(const hdf5::DatasetInfo& info, bool trust);
  std::int64_t block_rows() const;
  void read_stored(std::int64_t first, std::int64_t count, std::span<std::byte> out) const;
  void read_transposed(std::int64_t first, std::int64_t count, std::span<std::byte> out) const;
  void read_columns(std::int64_t first, std::int64_t count, std::span<std::byte> out) const;
  void read_block_columns(std::size_t begin, std::size_t end, std::int64_t first,
                          std::int64_t count, std::byte* out) const;
  void read_record_columns(std::size_t begin, std::size_t end, std::int64_t first,
                           std::int64_t count, std::byte* out) const;
  [[noreturn]] void fail_missing() const;

  hdf5::File file_;
  DatasetSelection selection_;
  std::string label_;
  ElementType native_ = ElementType::kFloat32;  ///< as HDF5 reads it
  ElementType stored_ = ElementType::kFloat32;  ///< the same bytes as _Unsigned takes them
  ElementType type_ = ElementType::kFloat32;
  std::int64_t rows_ = 0;
  Shape row_shape_;
  Conventions conventions_;
  std::vector<FrameColumn> columns_;  ///< of a compound (with `field`) or data frame
  std::int64_t chunk_rows_ = 1;       ///< to be read together
  std::vector<std::int32_t> labels_;  ///< of strings, for every row
  std::shared_ptr<const DatasetFile> series_;
  std::vector<std::int64_t> starts_;
  std::vector<std::string> classes_;
  std::vector<std::string> notes_;
};

/// Whether the file has such an array. Throws Error: 66, 77, 65 for the file.
bool has_array(const std::filesystem::path& path, const std::string& name, bool trust);

}  // namespace lockstep
