#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

std::unique_ptr<Layer> make_depthwise_over(std::size_t axes, KerasConfig& config);

/// For make_layer(): the arguments in Keras's order; over one or two axes of positions.
std::vector<std::string> depthwise_arguments();
template <std::size_t kAxes>
std::unique_ptr<Layer> make_depthwise(KerasConfig& config) {
  return make_depthwise_over(kAxes, config);
}

}  // namespace lockstep
