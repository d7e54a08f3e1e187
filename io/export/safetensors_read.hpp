#pragma once

#include <map>
#include <span>
#include <string>

#include "io/export/tensor.hpp"

namespace lockstep {

/// What a safetensors file holds.
struct StateDict {
  std::map<std::string, Tensor> tensors;
  bool is_of_export = false;  ///< it has the mark that safetensors() writes
};

/// The tensors by their names, as float32: F64, F16 and BF16 are converted. Those of integers are
/// left out: a state_dict has only counts of them. Throws Error (65) with `name` for what is no
/// such file, or damaged.
StateDict read_safetensors(std::span<const char> file, const std::string& name);

}  // namespace lockstep
