#pragma once

#include <memory>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// For make_layer().
std::unique_ptr<Layer> make_batch_normalization(KerasConfig& config);
std::unique_ptr<Layer> make_layer_normalization(KerasConfig& config);
std::unique_ptr<Layer> make_group_normalization(KerasConfig& config);
std::unique_ptr<Layer> make_rms_normalization(KerasConfig& config);
std::unique_ptr<Layer> make_unit_normalization(KerasConfig& config);

}  // namespace lockstep
