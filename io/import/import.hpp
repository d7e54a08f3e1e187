#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/data/array_view.hpp"
#include "io/data/window_cut.hpp"

namespace lockstep {

/// An array in memory with its rows.
struct Array {
  ElementType type = ElementType::kFloat32;
  std::int64_t rows = 0;
  Shape row_shape;
  std::vector<std::byte> bytes;

  ArrayView view() const { return {type, rows, row_shape, bytes.data()}; }
};

/// Reads an IDX file (MNIST's format: big-endian magic, any of its six types), gzipped or plain.
/// Throws Error: 66, 77, or 65 with what was expected and found (magic, length).
Array read_idx(const std::filesystem::path& path);

/// Reads a NumPy .npy file, format 1.0 to 3.0, C or Fortran order, either byte order, bool, integer
/// and floating types (float16 becomes float32). Throws Error as read_idx.
Array read_npy(const std::filesystem::path& path);
class ArraySource;
Array read_npy(ArraySource& source);

/// The arrays of a NumPy archive (.npz): a zip file of .npy members, stored or deflated, of any
/// size.
class NpzFile {
 public:
  /// Throws Error: 66, 77, or 65 if it is no zip archive, saying what it is.
  explicit NpzFile(const std::filesystem::path& path);
  /// Names without the ending .npy, in the file's order.
  const std::vector<std::string>& names() const { return names_; }
  bool has(const std::string& name) const;
  /// Throws Error (65) as read_npy, naming file and member, also for a damaged or encrypted member
  /// and for names that the file lacks.
  Array read(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> names_;
};

/// Labelled 28 x 28 glyphs: the ten digits drawn as line segments, randomly shifted, slanted,
/// scaled, thickened and noised; image and label `i` are a pure function of seed and i.
struct Glyphs {
  Array x;  ///< uint8 (rows, 28, 28)
  Array y;  ///< uint8 (rows)
};
Glyphs synthetic_glyphs(std::int64_t rows, std::uint64_t seed, std::int64_t first_row = 0);

/// What names the rows: numbers, or texts. Both empty: nothing does.
struct RowNames {
  std::vector<std::int64_t> numbers = {};
  std::vector<std::string> texts = {};
};

/// Inputs and targets that are windows of series, which are written once: see WindowCut.
struct SeriesArrays {
  Array x, y;  ///< written as x_series and y_series
  WindowCut x_cut, y_cut;
  std::vector<std::int64_t> train, validation, test;  ///< where windows begin
};

/// The datasets of a dataset file; absent ones are left out.
struct DatasetArrays {
  std::optional<Array> x_train, y_train, x_test, y_test;
  std::optional<Array> x_val = {}, y_val = {};
  std::optional<SeriesArrays> series = {};  ///< instead of the above
  RowNames id_train = {}, id_test = {}, id_val = {};
  /// JSON of a TableMapping or a TextMapping; empty: the rows are of neither.
  std::string table_mapping = {};
};
/// Writes them to a new HDF5 file under their names, the mapping as the file's attribute
/// kTableMapping, atomically (temporary file, fsync, rename).
void write_dataset_file(const std::filesystem::path& path, const DatasetArrays& arrays);

constexpr const char* kTableMapping = "lockstep_table_mapping";

}  // namespace lockstep
