#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "io/data/table_write.hpp"
#include "io/hdf5/hdf5.hpp"

namespace lockstep {

enum class OutputFormat { kCsv, kTsv, kNpy, kHdf5 };

/// By the name's ending: .csv, .tsv, .npy, .h5 or .hdf5. Throws Error (64) for any other one.
OutputFormat output_format(const std::filesystem::path& path);

/// A network's outputs for rows in order, built in memory and written at the end.
///   .csv .tsv   a table: see TableText
///   .npy        an array float32 (rows, output shape); labels have no place in it
///   .h5 .hdf5   the same as dataset `predictions`; ids and predicted classes as datasets `ids` and
///               `predicted` of strings
class PredictionFile {
 public:
  /// Throws Error (65) if the labels do not fit.
  PredictionFile(OutputFormat format, std::int64_t rows, const Shape& row_shape,
                 TableLabels labels = {});
  /// The next rows.
  void add(ConstMatrix rows);
  /// Ends it. Throws Error as write_atomically().
  void save(const std::filesystem::path& path);

 private:
  struct Hdf5Part {
    hdf5::Writer writer;
    TableLabels labels;
    std::vector<std::string> predicted;
    std::int64_t next_row = 0;
    void add(ConstMatrix rows);
    std::vector<std::byte> take_image();
  };
  /// Bytes of an .npy file.
  struct NpyPart {
    std::string bytes;
    void add(ConstMatrix rows);
  };
  using Part = std::variant<TableText, NpyPart, Hdf5Part>;

  static Part begin(OutputFormat format, std::int64_t rows, const Shape& row_shape,
                    TableLabels labels);

  Part part_;
};

}  // namespace lockstep
