#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

std::unique_ptr<Layer> make_convolution_over(std::size_t axes, KerasConfig& config);
std::unique_ptr<Layer> make_convolution_transpose_over(std::size_t axes, KerasConfig& config);

/// For make_layer(): the arguments in Keras 3's order; over 1 to 3 axes of positions.
std::vector<std::string> convolution_arguments();
std::vector<std::string> convolution_transpose_arguments(std::size_t axes);
template <std::size_t kAxes>
std::unique_ptr<Layer> make_convolution(KerasConfig& config) {
  return make_convolution_over(kAxes, config);
}
template <std::size_t kAxes>
std::unique_ptr<Layer> make_convolution_transpose(KerasConfig& config) {
  return make_convolution_transpose_over(kAxes, config);
}

}  // namespace lockstep
