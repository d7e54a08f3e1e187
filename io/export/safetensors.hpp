#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/export/tensor.hpp"

namespace lockstep {

struct NamedTensor {
  std::string name;
  Tensor tensor;
  bool is_count = false;  ///< one integer (int64) instead of float32: tensor.values has it
};

/// The key of the header's __metadata__ that tells files of this program from others: in these, the
/// weights behind a Flatten have channels last, as our modules flatten.
inline constexpr const char* kExportMark = "lockstep";

/// A safetensors file: the header's length (8 bytes, little-endian), the header as JSON, padded by
/// blanks to a multiple of 8, and the numbers, in the given order.
std::vector<std::byte> safetensors(const std::vector<NamedTensor>& tensors);

}  // namespace lockstep
