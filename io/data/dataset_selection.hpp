#pragma once

#include <string>
#include <vector>

#include "io/hdf5/hdf5.hpp"

namespace lockstep {

/// What the name of an array selects:
///   /x_train          a dataset
///   /x.T              the same with its axes reversed, as MATLAB and Fortran show it
///   /table.age        a field of a compound, or a column of a data frame of pandas
///   /table.[age,sex]  several of them, side by side
///   /table.*          all that are numbers
/// A dataset or field whose own name has such an ending comes first.
struct DatasetSelection {
  std::string dataset;  ///< or the group of a data frame
  std::vector<std::string> fields;
  bool all_fields = false;
  bool transposed = false;
};

/// A name that no dataset begins is taken whole.
DatasetSelection select_dataset(const hdf5::File& file, const std::string& name);

/// "name.T", unless it says so already.
std::string transposed_name(const std::string& name);

}  // namespace lockstep
