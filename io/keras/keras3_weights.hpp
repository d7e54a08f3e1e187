#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_file.hpp"
#include "src/model/network.hpp"

namespace lockstep {

// Where Keras 3 keeps what in model.weights.h5: for who reads it and who writes it.

/// The optimizer's variables are numbered: the count of steps, the learning rate unless a schedule
/// makes it, then keras3_slot_order(), and what Optimizer::kept_scalar() says.
std::string keras3_optimizer_path(std::size_t number);  ///< "/optimizer/vars/2"

/// Writes the groups /layers and, with `slots`, /optimizer. The model must be built, and compiled
/// if there are slots.
void write_keras3_weights(hdf5::Writer& writer, const Network& model, const OptimizerSlots* slots);

}  // namespace lockstep
