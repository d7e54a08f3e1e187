#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.hpp"
#include "src/core/element_type.hpp"

namespace lockstep {

/// What a dataset's attributes say about the numbers that it stores: netCDF's and CF's packing and
/// missing values (CF Conventions 1.11, 2.5.1 and 8.1).
struct Conventions {
  /// A number that stands for "not there", and the attribute that says so.
  struct Mark {
    std::string attribute;
    long double value = 0;
    bool unpacked = false;  ///< speaks of the numbers after unpacking
  };

  double scale = 1;   ///< scale_factor
  double offset = 0;  ///< add_offset
  std::vector<Mark> missing;
  std::optional<Mark> lowest;   ///< valid_min
  std::optional<Mark> highest;  ///< valid_max
  std::vector<std::string> notes;

  bool packed() const { return scale != 1 || offset != 0; }
  bool may_miss() const { return !missing.empty() || lowest || highest; }
};

/// Reads them; `type` becomes the unsigned one if _Unsigned says so. Throws Error (65), naming the
/// mark, for datasets that are no array of numbers whatever their type: netCDF's dimensions without
/// values, MATLAB's text, objects, empty and sparse arrays, pandas' times and empty arrays.
Conventions read_conventions(const hdf5::File& file, const std::string& dataset, ElementType& type,
                             const std::string& where);

/// The missing values among some elements.
struct MissingValues {
  std::int64_t count = 0;
  std::int64_t first = -1;  ///< the first one's number
  std::string example;      ///< "-999, the _FillValue"
};
MissingValues find_missing(const Conventions& conventions, ElementType type,
                           std::span<const std::byte> values);

/// out = float32(value * scale + offset), computed in double; what is missing becomes NaN.
void unpack(const Conventions& conventions, ElementType type, std::span<const std::byte> values,
            std::span<float> out);

}  // namespace lockstep
