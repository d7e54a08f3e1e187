#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lockstep {

/// Whether a model of Keras 1 says so of any of its layers. Layers that move or repeat pixels then
/// do the same: Keras 1 left that out of their configs.
bool says_channels_first(const nlohmann::ordered_json& model);

/// Replaces the words of older Keras for a layer's class and config by those of Keras 2: Keras 1's
/// (Convolution2D, nb_filter, border_mode, init, W_regularizer, a Merge, a Dropout's p, ...), and
/// classes that are newer ones with other settings (CuDNNLSTM, ThresholdedReLU), in the layers that
/// it wraps, too. What is in newer words stays as it is.
void use_newer_words(std::string& class_name, nlohmann::ordered_json& config, bool channels_first);

}  // namespace lockstep
