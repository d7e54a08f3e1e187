#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

/// How a dataset of integers cuts windows out of a series, which another dataset of the file holds:
/// window i is rows [n, n + length) of it, n = integer i + offset, and has the shape (length, row);
/// without a length it is row n alone. JSON in the dataset's attribute kWindows.
struct WindowCut {
  std::string series;  ///< the other dataset's path
  std::int64_t offset = 0;
  std::optional<std::int64_t> length = {};
};

constexpr const char* kWindows = "lockstep_windows";

std::string to_json_text(const WindowCut& cut);
/// Throws Error (65) with `where` if it is not what to_json_text() writes.
WindowCut window_cut_from_json(const std::string& json, const std::string& where);

}  // namespace lockstep
