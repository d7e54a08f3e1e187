#pragma once

#include <memory>

#include "src/core/keras_config.hpp"
#include "src/layers/merging.hpp"

namespace lockstep {

// Layers from their configs, for make_layer(): those that merge their inputs, and those that
// arrange their input anew.

template <Merge kMerge>
std::unique_ptr<Layer> make_merging(KerasConfig&) {
  return std::make_unique<Merging>(kMerge);
}
std::unique_ptr<Layer> make_concatenate(KerasConfig& config);
std::unique_ptr<Layer> make_dot(KerasConfig& config);
std::unique_ptr<Layer> make_permute(KerasConfig& config);
std::unique_ptr<Layer> make_repeat_vector(KerasConfig& config);
std::unique_ptr<Layer> make_masking(KerasConfig& config);

}  // namespace lockstep
