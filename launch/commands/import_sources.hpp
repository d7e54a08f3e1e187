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

}  // namespace lockstep
