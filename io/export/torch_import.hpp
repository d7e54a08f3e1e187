#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/export/tensor.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Sets the built network's weights from a state_dict of PyTorch: of the module that
/// export_to_torch() writes, by its names; or of any other with the same layers, by the order of
/// its names ("2.weight" before "10.weight") and by shapes. Such a one has channels in front: the
/// columns of a Dense behind a Flatten of images are put in Keras's order. Returns what the user
/// should check. Throws Error (65) that names all tensors that do not fit.
std::vector<std::string> import_from_torch(Network& model,
                                           const std::map<std::string, Tensor>& state_dict);

}  // namespace lockstep
