#include "src/layers/make_pooling.hpp"

namespace lockstep {

std::unique_ptr<Layer> make_pooling_over(Pool pool, std::size_t axes, KerasConfig& config) {
  Window window = read_pool_window(config, axes);
  return std::make_unique<Pooling>(pool, std::move(window));
}

std::unique_ptr<Layer> make_global_pooling_over(Pool pool, std::size_t axes, KerasConfig& config) {
  return std::make_unique<GlobalPooling>(pool, axes, config.boolean("keepdims", false));
}

std::unique_ptr<Layer> make_adaptive_pooling_over(Pool pool, std::size_t axes,
                                                  KerasConfig& config) {
  Shape output_size = read_extents(config, "output_size", axes, {});
  return std::make_unique<AdaptivePooling>(pool, std::move(output_size));
}

}  // namespace lockstep
