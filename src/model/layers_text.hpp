#pragma once

#include <string>

#include "src/model/network.hpp"

namespace lockstep {

/// Keras's own words on one line:
///   Rescaling(1/255), Flatten(), Dense(64, relu), Dropout(0.2), Dense(10, softmax)
/// Positional and keyword arguments as in Keras (`Dense(64, activation=relu,
/// kernel_regularizer=l2(1e-4))`, `Input((28, 28))`, `Reshape((7, 4))`, quotes optional); numbers
/// may be fractions. Not built unless it starts with Input(...). Throws Error (64): the column, and
/// what was expected there.
Network model_from_layers_text(const std::string& text);

}  // namespace lockstep
