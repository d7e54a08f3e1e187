#pragma once

#include <string>
#include <vector>

#include "src/model/network.hpp"

namespace lockstep {

/// Puts weights that are in the order of a PyTorch network's features into Keras's. PyTorch has
/// channels in front of positions: so a Flatten of images gives features in another order, to all
/// layers up to the next Dense; and so does what a Reshape makes images of want it. Returns what
/// was moved, and what was not, for the user to check. Throws Error (65) for layers in between
/// that would have to see the features in PyTorch's order.
std::vector<std::string> take_features_from_torch(Network& model);

}  // namespace lockstep
