#include "launch/commands/import_arrays.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "io/data/dataset_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// The names that arrays have where nobody says which is which, the first one that is there.
std::string usual_name(const NpzFile& file, const std::vector<std::string>& usual) {
  const auto found =
      std::ranges::find_if(usual, [&](const std::string& name) { return file.has(name); });
  return found == usual.end() ? "" : *found;
}

std::string list_of(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (const std::string& name : names) shown.push_back(printable(name));
  return fmt::format("{}", fmt::join(shown, ", "));
}

/// The rows of an array as float32, with NaN where something is missing.
std::vector<float> floats_of(const DatasetFile& file) {
  std::vector<float> values(
      static_cast<std::size_t>(file.rows() * element_count(file.row_shape())));
  file.read_with_gaps(0, file.rows(), values);
  return values;
}

std::vector<bool> rows_with_gaps(const std::vector<float>& values, std::int64_t rows) {
  const std::size_t row = values.size() / static_cast<std::size_t>(rows);
  std::vector<bool> gaps(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) gaps[i / row] = true;
  return gaps;
}

/// Of each column, of what is not missing, added up in double from the first row.
std::vector<float> means_of(const std::vector<float>& values, std::int64_t rows,
                            const std::string& label) {
  const std::size_t columns = values.size() / static_cast<std::size_t>(rows);
  std::vector<float> means;
  for (std::size_t column = 0; column < columns; ++column) {
    double sum = 0;
    std::int64_t count = 0;
    for (std::size_t i = column; i < values.size(); i += columns) {
      if (std::isnan(values[i])) continue;
      sum += static_cast<double>(values[i]);
      ++count;
    }
    check(count > 0, ExitCode::kBadData, "[import] {}: expected some value in column {}, got none",
          label, column);
    means.push_back(static_cast<float>(sum / static_cast<double>(count)));
  }
  return means;
}

/// How many gaps became their column's mean.
std::int64_t fill(std::vector<float>& values, const std::vector<float>& means) {
  std::int64_t filled = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isnan(values[i])) continue;
    values[i] = means[i % means.size()];
    ++filled;
  }
  return filled;
}

Array array_of(const DatasetFile& file) {
  Array array{file.type(), file.rows(), file.row_shape(), {}};
  array.bytes.resize(static_cast<std::size_t>(file.rows()) * file.row_bytes());
  file.read(0, file.rows(), array.bytes);
  return array;
}

Array array_of(const DatasetFile& file, const std::vector<float>& values) {
  Array array{ElementType::kFloat32, file.rows(), file.row_shape(), {}};
  array.bytes.resize(values.size() * sizeof(float));
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

void keep_rows(Array& array, const std::vector<bool>& without) {
  const std::size_t bytes = array.view().row_bytes();
  std::size_t kept = 0;
  for (std::size_t row = 0; row < without.size(); ++row) {
    if (without[row]) continue;
    std::memmove(array.bytes.data() + kept * bytes, array.bytes.data() + row * bytes, bytes);
    ++kept;
  }
  array.rows = static_cast<std::int64_t>(kept);
  array.bytes.resize(kept * bytes);
}

void add_notes(const DatasetFile& file, std::vector<std::string>& notes) {
  for (const std::string& note : file.notes())
    notes.push_back(printable(file.label()) + ": " + note);
}

/// x and y of the same rows.
struct Pair {
  Array x;
  std::optional<Array> y;
  std::vector<std::string> classes;
};

/// `means`: of the columns of the training rows, which fill the gaps of all rows; those of this
/// pair if there are none yet.
Pair read_pair(const ArrayNames& from, const std::string& x_name, const std::string& y_name,
               bool trust, Missing missing, std::vector<float>& means,
               std::vector<std::string>& notes) {
  const DatasetFile x(from.file, x_name, trust);
  std::optional<DatasetFile> y;
  if (!y_name.empty()) y.emplace(from.file, y_name, trust);
  check(x.classes().empty(), ExitCode::kBadData,
        "[{}] expected numbers as inputs, got strings (a table with words: lockstep import csv)",
        printable(x.label()));
  check(!y || x.rows() == y->rows(), ExitCode::kBadData,
        "[import] expected as many rows in {} as in {}, got {} and {} (axes in MATLAB's order: "
        "--transpose)",
        printable(x.label()), y ? printable(y->label()) : "", x.rows(), y ? y->rows() : 0);
  add_notes(x, notes);
  if (y) add_notes(*y, notes);
  if (missing == Missing::kError)
    return {array_of(x), y ? std::optional(array_of(*y)) : std::nullopt,
            y ? y->classes() : std::vector<std::string>()};

  std::vector<float> x_values = floats_of(x);
  const std::vector<float> y_values = y ? floats_of(*y) : std::vector<float>();
  if (missing == Missing::kMean) {
    const bool training = means.empty();
    if (training) means = means_of(x_values, x.rows(), printable(x.label()));
    const std::int64_t columns = element_count(x.row_shape());
    check(columns == static_cast<std::int64_t>(means.size()), ExitCode::kBadData,
          "[import] {}: expected {} numbers in a row as in the training rows, got {}",
          printable(x.label()), means.size(), columns);
    notes.push_back(fmt::format("{}: {} missing values became the mean of their column{}",
                                printable(x.label()), fill(x_values, means),
                                training ? "" : " in the training rows"));
  }
  std::vector<bool> without = rows_with_gaps(x_values, x.rows());
  const std::vector<bool> y_without =
      y ? rows_with_gaps(y_values, y->rows()) : std::vector<bool>(without.size());
  for (std::size_t row = 0; row < without.size(); ++row)
    without[row] = without[row] || y_without[row];
  const bool y_gaps = std::ranges::count(y_without, true) > 0;
  Pair pair{array_of(x, x_values), std::nullopt, {}};
  if (y) pair.y = y_gaps ? array_of(*y, y_values) : array_of(*y);
  if (y) pair.classes = y->classes();
  const auto dropped = std::ranges::count(without, true);
  check(dropped < x.rows(), ExitCode::kBadData,
        "[import] {}: expected a row without missing values, got none of {}", printable(x.label()),
        x.rows());
  keep_rows(pair.x, without);
  if (pair.y) keep_rows(*pair.y, without);
  if (dropped > 0)
    notes.push_back(fmt::format("{}: {} of {} rows with missing values were left out",
                                printable(x.label()), dropped, x.rows()));
  return pair;
}

/// Strings are numbered by the training rows' classes; beside numbers nobody knows what they mean.
void check_same_kind(const Pair& train, const Pair& test) {
  const auto kind = [](const Pair& pair) { return pair.classes.empty() ? "numbers" : "strings"; };
  check(train.classes.empty() == test.classes.empty(), ExitCode::kBadData,
        "[import] expected strings or numbers as targets of both training and test rows, got {} "
        "and {}",
        kind(train), kind(test));
}

/// Numbers the classes of the test rows as those of the training rows.
void renumber(Array& y, const std::vector<std::string>& own,
              const std::vector<std::string>& known) {
  const std::span labels(reinterpret_cast<std::int32_t*>(y.bytes.data()),
                         y.bytes.size() / sizeof(std::int32_t));
  for (std::int32_t& label : labels) {
    const std::string& name = own[static_cast<std::size_t>(label)];
    const auto place = std::ranges::lower_bound(known, name);
    check(place != known.end() && *place == name, ExitCode::kBadData,
          "[import] expected test rows of the training rows' classes, got '{}'", printable(name));
    label = static_cast<std::int32_t>(place - known.begin());
  }
}

}  // namespace

NamedArrays read_npz_source(const ArrayNames& names) {
  const NpzFile file(names.file);
  NamedArrays result;
  const auto read = [&](const char* role, const std::string& given,
                        const std::vector<std::string>& usual, std::optional<Array>& array) {
    const std::string name = given.empty() ? usual_name(file, usual) : given;
    if (name.empty()) return;
    array = file.read(name);
    result.notes.push_back(fmt::format("{} is {}", role, printable(name)));
  };
  read("x_train", names.x_train,
       {"x_train", "X_train", "train_images", "x", "X", "data", "features", "arr_0"},
       result.arrays.x_train);
  read("y_train", names.y_train,
       {"y_train", "Y_train", "train_labels", "y", "Y", "labels", "label", "target", "targets",
        "arr_1"},
       result.arrays.y_train);
  read("x_test", names.x_test, {"x_test", "X_test", "test_images"}, result.arrays.x_test);
  read("y_test", names.y_test, {"y_test", "Y_test", "test_labels"}, result.arrays.y_test);
  check(result.arrays.x_train || result.arrays.x_test, ExitCode::kBadData,
        "[import] {}: expected an array x_train; say which one it is: --x-train NAME, of {}",
        printable(names.file.string()), list_of(file.names()));
  return result;
}

NamedArrays read_hdf5_source(const ArrayNames& names, bool trust, bool transpose, Missing missing) {
  const auto name_of = [&](const std::string& given, const char* usual,
                           bool needed) -> std::string {
    const std::string name = given.empty() ? usual : given;
    if (given.empty() && !needed && !has_array(names.file, name, trust)) return "";
    return transpose ? transposed_name(name) : name;
  };
  NamedArrays result;
  std::vector<float> means;
  Pair train =
      read_pair(names, name_of(names.x_train, "x_train", true),
                name_of(names.y_train, "y_train", false), trust, missing, means, result.notes);
  result.classes = train.classes;
  result.arrays.x_train = std::move(train.x);
  result.arrays.y_train = std::move(train.y);
  const std::string x_test = name_of(names.x_test, "x_test", false);
  if (x_test.empty()) return result;
  Pair test = read_pair(names, x_test, name_of(names.y_test, "y_test", false), trust, missing,
                        means, result.notes);
  if (result.arrays.y_train && test.y) check_same_kind(train, test);
  if (test.y && !test.classes.empty()) renumber(*test.y, test.classes, result.classes);
  result.arrays.x_test = std::move(test.x);
  result.arrays.y_test = std::move(test.y);
  return result;
}

}  // namespace lockstep
