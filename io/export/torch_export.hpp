#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/export/safetensors.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// A network for PyTorch: the numbers, and the nn.Module that they are of.
struct TorchExport {
  std::vector<std::byte> state_dict;  ///< a safetensors file
  std::string python;                 ///< a module of Python with one class
};

/// Inputs and outputs are Keras's, channels last. Throws Error (65) that names every layer without
/// a counterpart in PyTorch.
TorchExport export_to_torch(const Network& model, const std::string& state_dict_name);

/// The state_dict's tensors, in the order of the layers. Throws the same.
std::vector<NamedTensor> torch_tensors(const Network& model);

/// Whether there is a way to write a layer of Keras's class.
bool torch_knows(const std::string& class_name);

}  // namespace lockstep
