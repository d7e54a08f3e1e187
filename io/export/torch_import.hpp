#pragma once

#include <string>
#include <vector>

#include "io/export/safetensors_read.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Sets the built network's weights from a state_dict of PyTorch, found by the names that
/// export_to_torch() writes, if the file has exactly these; else by names of modules that are those
/// of layers, and by the order of their names ("2.weight" before "10.weight") and by shapes. Unless
/// it is export_to_torch()'s, it has channels in front: take_features_from_torch(). Returns what
/// the user should check. Throws Error (65) that names all tensors that do not fit.
std::vector<std::string> import_from_torch(Network& model, const StateDict& state_dict);

}  // namespace lockstep
