#include "src/layers/make_recurrent.hpp"

#include <limits>

#include "src/layers/bidirectional.hpp"
#include "src/layers/config_values.hpp"
#include "src/layers/make_layer.hpp"
#include "src/layers/make_noise.hpp"

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

std::unique_ptr<Layer> make_recurrent(CellKind kind, KerasConfig& config) {
  const std::int64_t units = config.integer("units", 1, std::numeric_limits<std::int32_t>::max());
  RecurrentOptions options;
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
  options.return_sequences = config.boolean("return_sequences", options.return_sequences);
  options.go_backwards = config.boolean("go_backwards", options.go_backwards);
  options.unroll = config.boolean("unroll", options.unroll);
  config.expect("return_state", false);
  config.expect("stateful", false);
  config.expect("time_major", false);
  ignore_seed(config);
  options.zero_output_for_mask = config.boolean("zero_output_for_mask", false);
  config.ignore({"implementation", "use_cudnn"});  // which way to the same numbers
  return std::make_unique<Recurrent>(kind, units, std::move(options));
}

/// Keras's, of a layer without a name.
std::string default_name(const std::string& class_name) {
  if (class_name == "SimpleRNN") return "simple_rnn";
  return class_name == "LSTM" ? "lstm" : "gru";
}

/// A layer in the config of another, without the word that Keras 3 puts before its name. Null if
/// there is none, or a wrong one.
std::unique_ptr<Recurrent> read_inner(KerasConfig& config, const std::string& key,
                                      std::string_view prefix) {
  const nlohmann::ordered_json* value = config.find(key);
  if (value == nullptr) return nullptr;
  return config.convert(key, [&]() -> std::unique_ptr<Recurrent> {
    const KerasObject object = keras_object(*value, key);
    KerasConfig inner(
        object.config, [](const std::string& name) { return name; }, ExitCode::kBadData);
    inner.set_keras(config.keras());
    std::unique_ptr<Layer> layer = make_layer(object.name, inner);
    inner.training_problems().throw_if_any(ExitCode::kBadData);
    auto* const recurrent = dynamic_cast<Recurrent*>(layer.get());
    check(recurrent != nullptr, ExitCode::kBadData, "expected SimpleRNN, LSTM or GRU, got {}",
          object.name);
    static_cast<void>(layer.release());
    std::unique_ptr<Recurrent> result(recurrent);
    std::string name = result->name();
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
    if (name.empty()) name = default_name(result->class_name());
    result->set_name(name);
    return result;
  });
}

/// The config of the same layer the other way round.
nlohmann::ordered_json turned(const Recurrent& layer) {
  nlohmann::ordered_json config = layer.config();
  config["go_backwards"] = !layer.options().go_backwards;
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
  std::unique_ptr<Recurrent> forward = read_inner(config, "layer", "forward_");
  if (!config.find("layer")) config.object_to("layer", "a recurrent layer", "nothing");
  std::unique_ptr<Recurrent> backward = read_inner(config, "backward_layer", "");
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
  const bool reset_after = config.boolean("reset_after", true);
  return make_recurrent(reset_after ? CellKind::kGru : CellKind::kGruResetBefore, config);
}

}  // namespace lockstep
