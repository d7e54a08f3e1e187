#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.hpp"

namespace lockstep {

/// A column of a data frame that pandas wrote (DataFrame.to_hdf): where its numbers lie.
struct FrameColumn {
  std::string name;
  std::string dataset;      ///< a block of columns of one type, or the records of a table
  hdf5::Field field;        ///< of the records; no name: the dataset is a block
  std::int64_t column = 0;  ///< in the block or in the field's array
  std::optional<ElementType> block_type;
  std::int64_t width = 0;  ///< columns of the block
};

/// The columns of the group of a data frame, formats `fixed` and `table`, in the frame's order.
/// Throws Error (65) if the group is none.
std::vector<FrameColumn> frame_columns(const hdf5::File& file, const std::string& group);

}  // namespace lockstep
