#pragma once

#include <memory>

#include "src/core/keras_config.hpp"
#include "src/layers/spatial_dropout.hpp"

namespace lockstep {

// Layers that draw random numbers in training from their configs, for make_layer().

/// Any seed is accepted without effect: the run's seed and the layer's position decide.
void ignore_seed(KerasConfig& config);

std::unique_ptr<Layer> make_gaussian_noise(KerasConfig& config);
std::unique_ptr<Layer> make_gaussian_dropout(KerasConfig& config);
std::unique_ptr<Layer> make_alpha_dropout(KerasConfig& config);
std::unique_ptr<Layer> make_spatial_dropout_of(int dimensions, KerasConfig& config);
template <int kDimensions>
std::unique_ptr<Layer> make_spatial_dropout(KerasConfig& config) {
  return make_spatial_dropout_of(kDimensions, config);
}

}  // namespace lockstep
