#pragma once

#include <memory>

#include "src/layers/layer_config.hpp"
#include "src/layers/merging.hpp"

namespace lockstep {

// Layers from their configs, for make_layer(): those that merge their inputs, and those that
// arrange their input anew.

template <Merge kMerge>
std::unique_ptr<Layer> make_merging(LayerConfig&) {
  return std::make_unique<Merging>(kMerge);
}
std::unique_ptr<Layer> make_concatenate(LayerConfig& config);
std::unique_ptr<Layer> make_dot(LayerConfig& config);
std::unique_ptr<Layer> make_permute(LayerConfig& config);
std::unique_ptr<Layer> make_repeat_vector(LayerConfig& config);
std::unique_ptr<Layer> make_masking(LayerConfig& config);

}  // namespace lockstep
