#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "io/table/cell.hpp"

namespace lockstep {

enum class HeaderVerdict { kYes, kNo, kCannotTell };

/// The rows below a first line.
struct RowsBelow {
  std::size_t rows = 0;
  std::function<std::string_view(std::size_t row, std::size_t column)> cell;
};

/// Whether a table's first line names its columns. It does if a cell is a word above numbers or
/// dates; if its numbers are names as pandas gives them (0, 1, 2, ...), years or others that are
/// far from what is below; or if all is words and none of its words comes again. A missing value
/// says nothing.
HeaderVerdict is_header(std::span<const std::string> first, const RowsBelow& below,
                        const CellFormat& format);

}  // namespace lockstep
