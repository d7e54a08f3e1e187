#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// Appends to an HDF5 image what proves it whole: 8 bytes "LOCKSTEP", the image's length as
/// little-endian uint64, its SHA-256. HDF5 does not look behind its image.
void append_trailer(std::vector<std::byte>& image);

struct CheckedImage {
  std::span<const std::byte> image;  ///< without the trailer
  bool has_trailer = false;
};
/// Splits a file's bytes. Throws Error (65) if there is a trailer that its image does not match.
CheckedImage check_trailer(std::span<const std::byte> bytes, const std::string& file_name);

}  // namespace lockstep
