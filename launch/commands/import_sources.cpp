#include "launch/commands/import_sources.hpp"

#include "src/core/error.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// `stem` is "train-images", `kind` "idx3-ubyte".
fs::path mnist_file(const fs::path& directory, const std::string& stem, const std::string& kind) {
  for (const char* separator : {"-", "."}) {
    for (const char* ending : {".gz", ""}) {
      std::error_code ignored;
      fs::path path = directory / (stem + separator + kind + ending);
      if (fs::is_regular_file(path, ignored)) return path;
    }
  }
  fail(ExitCode::kMissingInput,
       "[import] {}: expected {}-{}.gz or {}-{} in this directory, got none", directory.string(),
       stem, kind, stem, kind);
}

}  // namespace

ArrayFiles mnist_files(const fs::path& directory) {
  std::error_code error;
  const bool is_there = fs::is_directory(directory, error);
  check(error != std::errc::permission_denied, ExitCode::kPermission,
        "[import] {}: expected a directory that you may read, got: {}", directory.string(),
        error.message());
  check(is_there, ExitCode::kMissingInput,
        "[import] {}: expected a directory with MNIST's four files, got none", directory.string());
  return {mnist_file(directory, "train-images", "idx3-ubyte"),
          mnist_file(directory, "train-labels", "idx1-ubyte"),
          mnist_file(directory, "t10k-images", "idx3-ubyte"),
          mnist_file(directory, "t10k-labels", "idx1-ubyte")};
}

DatasetArrays read_array_files(const ArrayFiles& files, Array (*read)(const fs::path&)) {
  DatasetArrays arrays;
  if (!files.x_train.empty()) arrays.x_train = read(files.x_train);
  if (!files.y_train.empty()) arrays.y_train = read(files.y_train);
  if (!files.x_test.empty()) arrays.x_test = read(files.x_test);
  if (!files.y_test.empty()) arrays.y_test = read(files.y_test);
  return arrays;
}

}  // namespace lockstep
