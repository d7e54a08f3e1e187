#pragma once

#include <string>
#include <vector>

#include "src/model/layer_source.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// The layers that such a text asks for: see model_from_layers_text(). None of them is made yet.
std::vector<LayerSource> layers_from_text(const std::string& text);

/// Keras's own words on one line:
///   Rescaling(1/255), Flatten(), Dense(64, relu), Dropout(0.2), Dense(10, softmax)
/// Positional and keyword arguments as in Keras (`Dense(64, activation=relu,
/// kernel_regularizer=l2(1e-4))`, `Input((28, 28))`, `Reshape((7, 4))`, quotes optional); numbers
/// may be fractions. Not built unless it starts with Input(...). Throws Error (64): the column, and
/// what was expected there.
Network model_from_layers_text(const std::string& text);

}  // namespace lockstep
