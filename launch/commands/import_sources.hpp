#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/import/import.hpp"

namespace lockstep {

/// The files of the four arrays; empty: not given.
struct ArrayFiles {
  std::filesystem::path x_train, y_train, x_test, y_test;
};

/// The four files of a directory under the names that MNIST and Fashion-MNIST give them, gzipped or
/// plain. Throws Error (66) naming the one that is missing.
ArrayFiles mnist_files(const std::filesystem::path& directory);

/// Reads the given files by `read` (read_idx, read_npy).
DatasetArrays read_array_files(const ArrayFiles& files,
                               Array (*read)(const std::filesystem::path&));

struct CsvSource {
  std::filesystem::path train;
  std::filesystem::path test;  ///< empty: none
  std::string label;
  double test_split = 0;  ///< the last part of the rows of `train` becomes the test set
};

struct CsvDataset {
  DatasetArrays arrays;
  std::vector<std::string> classes;  ///< if labels were words: class i is classes[i]
};

/// Throws Error (65) if the two files differ in columns or in the kind of labels, if the test file
/// has a class that the training file lacks, or if a part would be empty.
CsvDataset read_csv_source(const CsvSource& source);

/// Rows [0, rows - tail) and [rows - tail, rows) of an array, the first part in place.
Array cut_tail(Array& array, std::int64_t tail);

}  // namespace lockstep
