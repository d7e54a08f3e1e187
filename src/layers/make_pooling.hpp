#pragma once

#include <memory>

#include "src/core/keras_config.hpp"
#include "src/layers/pooling.hpp"

namespace lockstep {

std::unique_ptr<Layer> make_pooling_over(Pool pool, std::size_t axes, KerasConfig& config);
std::unique_ptr<Layer> make_global_pooling_over(Pool pool, std::size_t axes, KerasConfig& config);
std::unique_ptr<Layer> make_adaptive_pooling_over(Pool pool, std::size_t axes, KerasConfig& config);

/// For make_layer(); over 1 to 3 axes of positions.
template <Pool kPool, std::size_t kAxes>
std::unique_ptr<Layer> make_pooling(KerasConfig& config) {
  return make_pooling_over(kPool, kAxes, config);
}
template <Pool kPool, std::size_t kAxes>
std::unique_ptr<Layer> make_global_pooling(KerasConfig& config) {
  return make_global_pooling_over(kPool, kAxes, config);
}
template <Pool kPool, std::size_t kAxes>
std::unique_ptr<Layer> make_adaptive_pooling(KerasConfig& config) {
  return make_adaptive_pooling_over(kPool, kAxes, config);
}

}  // namespace lockstep
