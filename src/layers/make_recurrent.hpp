#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/recurrent.hpp"

namespace lockstep {

// Recurrent layers from their configs, for make_layer(). Refused: stateful, and
// return_state of a ConvLSTM.

/// The order of arguments in Keras. `class_name`: SimpleRNN, LSTM or GRU.
std::vector<std::string> recurrent_arguments(const std::string& class_name);
std::unique_ptr<Layer> make_simple_rnn(KerasConfig& config);
std::unique_ptr<Layer> make_lstm(KerasConfig& config);
std::unique_ptr<Layer> make_gru(KerasConfig& config);
/// The same of a cell: SimpleRNNCell, LSTMCell or GRUCell.
std::vector<std::string> cell_arguments(const std::string& class_name);
std::unique_ptr<Layer> make_simple_rnn_cell(KerasConfig& config);
std::unique_ptr<Layer> make_lstm_cell_layer(KerasConfig& config);
std::unique_ptr<Layer> make_gru_cell_layer(KerasConfig& config);
std::unique_ptr<Layer> make_stacked_cells(KerasConfig& config);
/// Of a cell, or a list of cells. Refused, too: constants.
std::unique_ptr<Layer> make_rnn(KerasConfig& config);
std::vector<std::string> conv_lstm_arguments();
/// Over 1 to 3 axes of positions. Refused, too: channels_first.
std::unique_ptr<Layer> make_conv_lstm_over(std::size_t axes, KerasConfig& config);
template <std::size_t kAxes>
std::unique_ptr<Layer> make_conv_lstm(KerasConfig& config) {
  return make_conv_lstm_over(kAxes, config);
}
/// Of one of them, or of two. Refused: merge_mode None, which has two outputs, and the constraints
/// of what is inside.
std::unique_ptr<Layer> make_bidirectional(KerasConfig& config);

}  // namespace lockstep
