#pragma once

#include <memory>

#include "src/layers/layer.hpp"
#include "src/layers/layer_config.hpp"

namespace lockstep {

/// For make_layer().
std::unique_ptr<Layer> make_batch_normalization(LayerConfig& config);
std::unique_ptr<Layer> make_layer_normalization(LayerConfig& config);
std::unique_ptr<Layer> make_group_normalization(LayerConfig& config);
std::unique_ptr<Layer> make_rms_normalization(LayerConfig& config);
std::unique_ptr<Layer> make_unit_normalization(LayerConfig& config);

}  // namespace lockstep
