#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/recurrent.hpp"

namespace lockstep {

// Recurrent layers from their configs, for make_layer(). Refused: return_state, stateful.

/// The order of arguments in Keras. `class_name`: SimpleRNN, LSTM or GRU.
std::vector<std::string> recurrent_arguments(const std::string& class_name);
std::unique_ptr<Layer> make_simple_rnn(KerasConfig& config);
std::unique_ptr<Layer> make_lstm(KerasConfig& config);
std::unique_ptr<Layer> make_gru(KerasConfig& config);
/// Of one of them, or of two. Refused: merge_mode None, which has two outputs, and the constraints
/// of what is inside.
std::unique_ptr<Layer> make_bidirectional(KerasConfig& config);

}  // namespace lockstep
