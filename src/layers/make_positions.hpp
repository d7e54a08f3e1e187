#pragma once

#include <memory>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// Layers that add, leave out or repeat positions, over 1 to 3 axes of them.
std::unique_ptr<Layer> make_zero_padding_over(std::size_t axes, KerasConfig& config);
std::unique_ptr<Layer> make_cropping_over(std::size_t axes, KerasConfig& config);
std::unique_ptr<Layer> make_up_sampling_over(std::size_t axes, KerasConfig& config);

/// For make_layer().
template <std::size_t kAxes>
std::unique_ptr<Layer> make_zero_padding(KerasConfig& config) {
  return make_zero_padding_over(kAxes, config);
}
template <std::size_t kAxes>
std::unique_ptr<Layer> make_cropping(KerasConfig& config) {
  return make_cropping_over(kAxes, config);
}
template <std::size_t kAxes>
std::unique_ptr<Layer> make_up_sampling(KerasConfig& config) {
  return make_up_sampling_over(kAxes, config);
}

}  // namespace lockstep
