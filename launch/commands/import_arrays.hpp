#pragma once

#include <string>
#include <vector>

#include "io/import/import.hpp"

namespace lockstep {

/// What `lockstep import npz` and `lockstep import hdf5` read: arrays by their names in one file.
struct ArrayNames {
  std::filesystem::path file;
  std::string x_train, y_train, x_test, y_test;  ///< empty: not named
};

/// What to do with rows of which something is missing.
enum class Missing { kError, kDrop, kMean };

struct NamedArrays {
  DatasetArrays arrays;
  std::vector<std::string> classes;  ///< if targets were strings: class i is classes[i]
  std::vector<std::string> notes;    ///< what was taken for what
};

/// Where no name is given, those that NumPy's users give: x_train, x, X, data, arr_0; y_train, ...
/// Throws Error (65), listing the arrays, if none of them is there.
NamedArrays read_npz_source(const ArrayNames& names);

/// Datasets as `lockstep train` names them (see DatasetSelection); x and y default to x_train and
/// y_train, the tests to x_test and y_test if they are there.
NamedArrays read_hdf5_source(const ArrayNames& names, bool trust, bool transpose, Missing missing);

}  // namespace lockstep
