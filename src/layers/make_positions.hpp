#pragma once

#include <memory>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// For make_layer(): layers that add, leave out or repeat positions. `dimensions`: axes of
/// positions.
std::unique_ptr<Layer> make_zero_padding_of(std::size_t dimensions, KerasConfig& config);
std::unique_ptr<Layer> make_cropping_of(std::size_t dimensions, KerasConfig& config);
std::unique_ptr<Layer> make_up_sampling_of(std::size_t dimensions, KerasConfig& config);

template <std::size_t kDimensions>
std::unique_ptr<Layer> make_zero_padding(KerasConfig& config) {
  return make_zero_padding_of(kDimensions, config);
}
template <std::size_t kDimensions>
std::unique_ptr<Layer> make_cropping(KerasConfig& config) {
  return make_cropping_of(kDimensions, config);
}
template <std::size_t kDimensions>
std::unique_ptr<Layer> make_up_sampling(KerasConfig& config) {
  return make_up_sampling_of(kDimensions, config);
}

}  // namespace lockstep
