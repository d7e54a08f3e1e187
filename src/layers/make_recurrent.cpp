#include "src/layers/make_recurrent.hpp"

#include <limits>

#include "src/core/keras_names.hpp"
#include "src/layers/bidirectional.hpp"
#include "src/layers/config_values.hpp"
#include "src/layers/conv_lstm.hpp"
#include "src/layers/inner_layer.hpp"
#include "src/layers/make_noise.hpp"
#include "src/layers/rnn.hpp"

namespace lockstep {
namespace {

/// Of a step, so not of a row.
Activation read_gate(KerasConfig& config, const std::string& key, Activation fallback) {
  const Activation activation = read_activation(config, key, fallback);
  if (!is_row_wise(activation)) return activation;
  config.object_to(key, "an activation of each element", activation_name(activation));
  return fallback;
}

/// Keras's cells take 1 for no dropout at all.
double read_rate(KerasConfig& config, const std::string& key) {
  const double rate = config.number(key, 0.0);
  if (rate >= 0 && rate < 1) return rate;
  config.object_to(key, "a rate of at least 0 and less than 1", fmt::format("{}", rate));
  return 0;
}

/// What a layer and its cell have in common.
RecurrentOptions read_cell(CellKind kind, KerasConfig& config, RecurrentOptions options = {}) {
  options.activation = read_gate(config, "activation", options.activation);
  if (kind != CellKind::kSimpleRnn)
    options.recurrent_activation =
        read_gate(config, "recurrent_activation", options.recurrent_activation);
  options.use_bias = config.boolean("use_bias", options.use_bias);
  options.kernel_initializer =
      read_initializer(config, "kernel_initializer", options.kernel_initializer);
  options.recurrent_initializer =
      read_initializer(config, "recurrent_initializer", options.recurrent_initializer);
  options.bias_initializer = read_initializer(config, "bias_initializer", options.bias_initializer);
  if (kind == CellKind::kLstm)
    options.unit_forget_bias = config.boolean("unit_forget_bias", options.unit_forget_bias);
  options.kernel_regularizer = read_regularizer(config, "kernel_regularizer");
  options.recurrent_regularizer = read_regularizer(config, "recurrent_regularizer");
  options.bias_regularizer = read_regularizer(config, "bias_regularizer");
  for (const char* key : {"kernel_constraint", "recurrent_constraint", "bias_constraint"})
    config.expect_for_training(key, nullptr);
  options.dropout = read_rate(config, "dropout");
  options.recurrent_dropout = read_rate(config, "recurrent_dropout");
  ignore_seed(config);
  config.ignore({"implementation"});  // which way to the same numbers
  return options;
}

std::int64_t read_units(KerasConfig& config) {
  return config.integer("units", 1, std::numeric_limits<std::int32_t>::max());
}

/// Of all layers that go over steps: what they lack.
void expect_steps(KerasConfig& config) {
  if (config.boolean("stateful", false))
    config.object_to("stateful", "false, a batch that begins with states of zeros", "true");
  config.expect("time_major", false);
  config.ignore({"use_cudnn"});  // which way to the same numbers
}

/// The options of those that are no RNN.
RecurrentOptions read_layer(CellKind kind, KerasConfig& config, RecurrentOptions defaults = {}) {
  RecurrentOptions options = read_cell(kind, config, std::move(defaults));
  options.return_sequences = config.boolean("return_sequences", options.return_sequences);
  options.return_state = config.boolean("return_state", options.return_state);
  options.go_backwards = config.boolean("go_backwards", options.go_backwards);
  options.unroll = config.boolean("unroll", options.unroll);
  options.zero_output_for_mask = config.boolean("zero_output_for_mask", false);
  expect_steps(config);
  return options;
}

std::unique_ptr<Layer> make_recurrent(CellKind kind, KerasConfig& config) {
  const std::int64_t units = read_units(config);
  RecurrentOptions options = read_layer(kind, config);
  return std::make_unique<Recurrent>(kind, units, std::move(options));
}

std::unique_ptr<Layer> make_cell(CellKind kind, KerasConfig& config) {
  const std::int64_t units = read_units(config);
  return std::make_unique<Cell>(kind, units, read_cell(kind, config));
}

CellKind gru_kind(KerasConfig& config) {
  return config.boolean("reset_after", true) ? CellKind::kGru : CellKind::kGruResetBefore;
}

/// As a Wanted, which `expected` names.
template <class Wanted>
std::unique_ptr<Wanted> as(std::unique_ptr<Layer> layer, const char* expected) {
  auto* const wanted = dynamic_cast<Wanted*>(layer.get());
  check(wanted != nullptr, ExitCode::kBadData, "expected {}, got {}", expected,
        layer->class_name());
  static_cast<void>(layer.release());
  return std::unique_ptr<Wanted>(wanted);
}

constexpr const char* kCells = "SimpleRNNCell, LSTMCell, GRUCell or StackedRNNCells";

/// Each with a name of its own.
std::unique_ptr<CellLayer> read_cells(const nlohmann::ordered_json& cells, KerasMajor keras) {
  std::vector<std::unique_ptr<CellLayer>> all;
  UniqueNames names;
  for (const auto& cell : cells) {
    all.push_back(as<CellLayer>(inner_layer(cell, "cells", keras), kCells));
    all.back()->set_name(names.take_free(all.back()->name()));
  }
  return std::make_unique<StackedCells>(std::move(all));
}

/// A layer in the config of another, without the word that Keras 3 puts before its name. Null if
/// there is none, or a wrong one.
std::unique_ptr<RecurrentLayer> read_inner(KerasConfig& config, const std::string& key,
                                           std::string_view prefix) {
  const nlohmann::ordered_json* value = config.find(key);
  if (value == nullptr) return nullptr;
  return config.convert(key, [&]() -> std::unique_ptr<RecurrentLayer> {
    auto layer = as<RecurrentLayer>(inner_layer(*value, key, config.keras()),
                                    "SimpleRNN, LSTM, GRU, RNN or a ConvLSTM");
    std::string name = layer->name();
    if (name.starts_with(prefix) && name != prefix) name.erase(0, prefix.size());
    layer->set_name(name);
    return layer;
  });
}

/// The config of the same layer the other way round.
nlohmann::ordered_json turned(const RecurrentLayer& layer) {
  nlohmann::ordered_json config = layer.config();
  config["go_backwards"] = !layer.go_backwards();
  return config;
}

BidirectionalMerge read_merge(KerasConfig& config) {
  using enum BidirectionalMerge;
  if (config.is_null("merge_mode"))
    config.object_to("merge_mode", "concat, sum, mul or ave", "null, which has two outputs");
  const std::string word = config.word("merge_mode", "concat", {"concat", "sum", "mul", "ave"});
  for (const BidirectionalMerge merge : {kSum, kMultiply, kAverage})
    if (merge_name(merge) == word) return merge;
  return kConcat;
}

}  // namespace

std::vector<std::string> cell_arguments(const std::string& class_name) {
  std::vector<std::string> arguments =
      recurrent_arguments(class_name.substr(0, class_name.size() - std::string("Cell").size()));
  std::erase_if(arguments, [](const std::string& argument) {
    return argument == "activity_regularizer" || argument == "go_backwards" ||
           argument == "stateful" || argument == "unroll" || argument.starts_with("return_");
  });
  return arguments;
}

std::vector<std::string> recurrent_arguments(const std::string& class_name) {
  std::vector<std::string> arguments = {"units", "activation"};
  const auto add = [&](std::initializer_list<const char*> more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (class_name != "SimpleRNN") add({"recurrent_activation"});
  add({"use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer"});
  if (class_name == "LSTM") add({"unit_forget_bias"});
  add({"kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
       "kernel_constraint", "recurrent_constraint", "bias_constraint", "dropout",
       "recurrent_dropout", "seed", "return_sequences", "return_state", "go_backwards", "stateful",
       "unroll"});
  if (class_name == "GRU") add({"reset_after"});
  return arguments;
}

std::unique_ptr<Layer> make_simple_rnn(KerasConfig& config) {
  return make_recurrent(CellKind::kSimpleRnn, config);
}

std::unique_ptr<Layer> make_lstm(KerasConfig& config) {
  return make_recurrent(CellKind::kLstm, config);
}

std::unique_ptr<Layer> make_bidirectional(KerasConfig& config) {
  std::unique_ptr<RecurrentLayer> forward = read_inner(config, "layer", "forward_");
  if (!config.find("layer")) config.object_to("layer", "a recurrent layer", "nothing");
  std::unique_ptr<RecurrentLayer> backward = read_inner(config, "backward_layer", "");
  const BidirectionalMerge merge = read_merge(config);
  config.expect("num_constants", 0);
  if (forward == nullptr) return std::make_unique<Recurrent>(CellKind::kLstm, 1);  // refused
  // What Keras 3 writes where nothing was given.
  if (backward && backward->config() == turned(*forward) &&
      backward->name() == "backward_" + forward->name() &&
      backward->trainable() == forward->trainable())
    backward = nullptr;
  return config.convert("layer", [&]() -> std::unique_ptr<Layer> {
    return std::make_unique<Bidirectional>(std::move(forward), std::move(backward), merge);
  });
}

std::unique_ptr<Layer> make_gru(KerasConfig& config) {
  return make_recurrent(gru_kind(config), config);
}

std::unique_ptr<Layer> make_simple_rnn_cell(KerasConfig& config) {
  return make_cell(CellKind::kSimpleRnn, config);
}

std::unique_ptr<Layer> make_lstm_cell_layer(KerasConfig& config) {
  return make_cell(CellKind::kLstm, config);
}

std::unique_ptr<Layer> make_gru_cell_layer(KerasConfig& config) {
  return make_cell(gru_kind(config), config);
}

std::unique_ptr<Layer> make_stacked_cells(KerasConfig& config) {
  const nlohmann::ordered_json* const cells = config.find("cells");
  if (cells == nullptr || !cells->is_array())
    config.refuse("cells", "a list of cells", cells ? describe(*cells) : "nothing");
  return config.convert(
      "cells", [&]() -> std::unique_ptr<Layer> { return read_cells(*cells, config.keras()); });
}

std::unique_ptr<Layer> make_rnn(KerasConfig& config) {
  const nlohmann::ordered_json* const cell = config.find("cell");
  if (cell == nullptr)
    config.refuse("cell", std::string(kCells) + ", or a list of cells", "nothing");
  Rnn::Options options;
  options.return_sequences = config.boolean("return_sequences", options.return_sequences);
  options.return_state = config.boolean("return_state", options.return_state);
  options.go_backwards = config.boolean("go_backwards", options.go_backwards);
  options.unroll = config.boolean("unroll", options.unroll);
  options.zero_output_for_mask = config.boolean("zero_output_for_mask", false);
  expect_steps(config);
  config.expect("num_constants", 0);
  return config.convert("cell", [&]() -> std::unique_ptr<Layer> {
    std::unique_ptr<CellLayer> made;
    if (cell->is_array()) {
      made = read_cells(*cell, config.keras());
      made->set_name(keras_snake_case(made->class_name()));
    } else {
      made = as<CellLayer>(inner_layer(*cell, "cell", config.keras()), kCells);
    }
    return std::make_unique<Rnn>(std::move(made), options);
  });
}

std::vector<std::string> conv_lstm_arguments() {
  std::vector<std::string> arguments = recurrent_arguments("LSTM");
  arguments.front() = "filters";
  arguments.insert(arguments.begin() + 1,
                   {"kernel_size", "strides", "padding", "data_format", "dilation_rate"});
  return arguments;
}

std::unique_ptr<Layer> make_conv_lstm_over(std::size_t axes, KerasConfig& config) {
  const std::int64_t filters =
      config.integer("filters", 1, std::numeric_limits<std::int32_t>::max() / 4);
  Window window = read_kernel_window(config, axes);
  config.expect("data_format", "channels_last");
  RecurrentOptions defaults;
  if (config.keras() == KerasMajor::k2)
    defaults.recurrent_activation = activation_from_name("hard_sigmoid", KerasMajor::k2);
  config.expect("return_state", false);
  RecurrentOptions options = read_layer(CellKind::kLstm, config, defaults);
  return std::make_unique<ConvLstm>(filters, std::move(window), std::move(options));
}

}  // namespace lockstep
