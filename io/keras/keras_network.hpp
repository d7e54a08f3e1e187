#pragma once

#include "io/hdf5/hdf5.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Where a checkpoint keeps what stateful layers carry, by their numbers.
inline constexpr const char* kStates = "/lockstep/states";

/// Writes the network and its weights in Keras 2's layout: origin, model_config, training_config if
/// it is compiled, /model_weights. Throws Error (64) if it is not built.
void write_network(hdf5::Writer& writer, const Network& model);

}  // namespace lockstep
