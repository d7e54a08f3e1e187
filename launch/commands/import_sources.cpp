#include "launch/commands/import_sources.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "io/data/sample_order.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

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

/// Class numbers of the test file in terms of the training file's list of words.
void adopt_classes(const CsvTable& train, CsvTable& test, const CsvSource& source) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(test.y.rows); ++i) {
    std::byte* const bytes = test.y.bytes.data() + i * sizeof(std::int64_t);
    std::int64_t label = 0;
    std::memcpy(&label, bytes, sizeof label);
    const std::string& word = test.classes[static_cast<std::size_t>(label)];
    const auto place = std::lower_bound(train.classes.begin(), train.classes.end(), word);
    check(place != train.classes.end() && *place == word, ExitCode::kBadData,
          "[import] {}: expected labels that {} has too, got '{}'", source.test.string(),
          source.train.string(), printable(word));
    label = place - train.classes.begin();
    std::memcpy(bytes, &label, sizeof label);
  }
}

void read_test_file(const CsvTable& train, const CsvSource& source, DatasetArrays& arrays) {
  CsvTable test = read_csv(source.test, source.label);
  check(test.x.row_shape == train.x.row_shape && test.feature_names == train.feature_names,
        ExitCode::kBadData, "[import] {}: expected the columns of {} ({}), got {}",
        source.test.string(), source.train.string(), train.feature_names.size(),
        test.feature_names.size() == train.feature_names.size()
            ? "other names or another order"
            : fmt::format("{}", test.feature_names.size()));
  check(test.classes.empty() == train.classes.empty() && test.y.type == train.y.type,
        ExitCode::kBadData,
        "[import] {}: expected labels of one kind with those of {} ({}), got {}",
        source.test.string(), source.train.string(),
        train.classes.empty() ? to_string(train.y.type) : "words",
        test.classes.empty() ? to_string(test.y.type) : "words");
  if (!train.classes.empty()) adopt_classes(train, test, source);
  arrays.x_test = std::move(test.x);
  arrays.y_test = std::move(test.y);
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

Array cut_tail(Array& array, std::int64_t tail) {
  const std::size_t cut = static_cast<std::size_t>(array.rows - tail) * array.view().row_bytes();
  const auto middle = array.bytes.begin() + static_cast<std::ptrdiff_t>(cut);
  Array end{array.type, tail, array.row_shape, {middle, array.bytes.end()}};
  array.rows -= tail;
  array.bytes.resize(cut);
  return end;
}

CsvDataset read_csv_source(const CsvSource& source) {
  CsvTable train = read_csv(source.train, source.label);
  CsvDataset dataset;
  if (!source.test.empty()) {
    read_test_file(train, source, dataset.arrays);
  } else if (source.test_split > 0) {
    const std::int64_t tail = train.x.rows - training_rows(train.x.rows, source.test_split);
    dataset.arrays.x_test = cut_tail(train.x, tail);
    dataset.arrays.y_test = cut_tail(train.y, tail);
  }
  dataset.classes = std::move(train.classes);
  dataset.arrays.x_train = std::move(train.x);
  dataset.arrays.y_train = std::move(train.y);
  return dataset;
}

}  // namespace lockstep
