#pragma once

#include <cstdint>
#include <optional>

#include "io/hdf5/hdf5.hpp"
#include "io/keras/keras_file.hpp"
#include "src/model/network.hpp"

namespace lockstep {

struct OptimizerState {
  OptimizerSlots slots;
  std::int64_t iterations = 0;
};

/// Throws Error (65) unless there is a slot of the arena's size for each that the optimizer has.
void check_slots(const Network& model, const OptimizerSlots& slots);
/// Appends the next slot as it is before the first step: of weights that are not trained, always.
std::vector<float>& add_fresh_slot(OptimizerSlots& slots, const ParameterArena& arena,
                                   const Optimizer& optimizer);
/// What a slot of the arena's size holds for one of its parameters.
std::span<const float> values_in_slot(std::span<const float> slot, const Parameter& parameter);

/// The group /optimizer_weights of a Keras file for the model's optimizer. Three orders exist:
/// Keras 2's `iter, all m, all v`, tf_keras's `iteration, m1, v1, m2, ...`,
/// Keras 3's `iteration, learning_rate, m1, v1, ...` (keras_slot_order.hpp); the names tell which
/// weight is which. None if the file
/// has no state, or one that does not fit the optimizer: Keras then starts it afresh as well.
std::optional<OptimizerState> read_optimizer_state(const hdf5::File& file, const Network& model,
                                                   const NetworkRemarks& remarks);

/// The group /optimizer of Keras 3's model.weights.h5: numbered, in the order `iteration,
/// learning_rate`, then keras3_slot_order().
std::optional<OptimizerState> read_keras3_optimizer_state(const hdf5::File& file,
                                                          const Network& model,
                                                          const NetworkRemarks& remarks);

}  // namespace lockstep
