#include "src/layers/make_layer.hpp"

#include <algorithm>
#include <limits>

#include "src/core/printable.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/activity_regularization.hpp"
#include "src/layers/config_values.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/make_convolution.hpp"
#include "src/layers/make_depthwise.hpp"
#include "src/layers/make_merging.hpp"
#include "src/layers/make_noise.hpp"
#include "src/layers/make_normalization.hpp"
#include "src/layers/make_pooling.hpp"
#include "src/layers/make_positions.hpp"
#include "src/layers/make_recurrent.hpp"
#include "src/layers/make_sequences.hpp"
#include "src/layers/prelu.hpp"
#include "src/layers/rescaling.hpp"
#include "src/layers/reshaping.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

std::unique_ptr<Layer> make_input_layer(KerasConfig& config) {
  auto shape = config.batch_shape("batch_input_shape");
  if (!shape) shape = config.batch_shape("batch_shape");
  if (!shape && !config.find("batch_input_shape") && !config.find("batch_shape"))
    config.object_to("batch_input_shape", "a shape such as [null, 784]", "nothing");
  config.expect("sparse", false);
  config.expect("ragged", false);
  config.ignore({"optional", "dtype"});  // rows of any type become float32
  return std::make_unique<InputLayer>(shape.value_or(Shape()));
}

std::unique_ptr<Layer> make_dense(KerasConfig& config) {
  const std::int64_t units = config.integer("units", 1, std::numeric_limits<std::int32_t>::max());
  const Activation activation = read_activation(config);
  return std::make_unique<Dense>(units, activation, KernelAndBias::read(config));
}

std::unique_ptr<Layer> make_activation(KerasConfig& config) {
  return std::make_unique<ActivationLayer>(read_activation(config, true));
}

/// A constant that Keras 2 and 3 call differently; both must be at least 0.
float read_constant(KerasConfig& config, const char* key, const char* other_key, double fallback) {
  const double value =
      config.number(key, other_key ? config.number(other_key, fallback) : fallback);
  if (value < 0) config.object_to(key, "a number of at least 0", fmt::format("{}", value));
  return static_cast<float>(value);
}

std::unique_ptr<Layer> make_relu(KerasConfig& config) {
  ActivationConstants constants;
  constants.alpha = read_constant(config, "negative_slope", nullptr, 0);
  constants.threshold = read_constant(config, "threshold", nullptr, 0);
  if (config.find("max_value"))
    constants.max_value = read_constant(config, "max_value", nullptr, 0);
  const bool plain = constants == ActivationConstants();
  return std::make_unique<ActivationLayer>(
      "ReLU", ActivationFunction(plain ? Activation::kRelu : Activation::kClippedRelu, constants));
}

std::unique_ptr<Layer> make_leaky_relu(KerasConfig& config) {
  const float slope = read_constant(config, "negative_slope", "alpha", 0.3);
  return std::make_unique<ActivationLayer>(
      "LeakyReLU", ActivationFunction(Activation::kLeakyRelu, {.alpha = slope}));
}

std::unique_ptr<Layer> make_elu(KerasConfig& config) {
  const float alpha = read_constant(config, "alpha", nullptr, 1);
  return std::make_unique<ActivationLayer>("ELU",
                                           ActivationFunction(Activation::kElu, {.alpha = alpha}));
}

std::unique_ptr<Layer> make_softmax(KerasConfig& config) {
  const std::int64_t axis = config.find("axis") ? config.integer("axis", -1, 32) : -1;
  return std::make_unique<ActivationLayer>("Softmax", Activation::kSoftmax, axis);
}

std::unique_ptr<Layer> make_prelu(KerasConfig& config) {
  PRelu::Options options;
  options.alpha_initializer =
      read_initializer(config, "alpha_initializer", options.alpha_initializer);
  options.alpha_regularizer = read_regularizer(config, "alpha_regularizer");
  options.alpha_constraint = read_constraint(config, "alpha_constraint");
  if (config.find("shared_axes")) options.shared_axes = config.integers("shared_axes", 1, 32);
  return std::make_unique<PRelu>(std::move(options));
}

std::unique_ptr<Layer> make_activity_regularization(KerasConfig& config) {
  const double l1 = config.number("l1", 0.0, kNotNegativeFloat);
  const double l2 = config.number("l2", 0.0, kNotNegativeFloat);
  return std::make_unique<ActivityRegularization>(l1, l2);
}

std::unique_ptr<Layer> make_flatten(KerasConfig&) {
  return std::make_unique<Flatten>();
}

std::unique_ptr<Layer> make_reshape(KerasConfig& config) {
  Shape target = config.shape("target_shape", true);
  if (std::ranges::count(target, -1) > 1)
    config.object_to("target_shape", "at most one -1", to_string(target));
  return std::make_unique<Reshape>(std::move(target));
}

std::unique_ptr<Layer> make_rescaling(KerasConfig& config) {
  const double scale = config.number("scale");
  return std::make_unique<Rescaling>(scale, config.number("offset", 0.0));
}

std::unique_ptr<Layer> make_dropout(KerasConfig& config) {
  const double rate = config.number("rate");
  config.expect_for_training("noise_shape", nullptr);
  ignore_seed(config);
  return config.convert(
      "rate", [&]() -> std::unique_ptr<Layer> { return std::make_unique<Dropout>(rate); });
}

/// Everything that is known of a layer class. To add one, see README.md.
struct Known {
  LayerSignature signature;
  std::unique_ptr<Layer> (*make)(KerasConfig&);
};
const std::vector<Known>& known_layers() {
  static const std::vector<Known> layers = {
      {{"InputLayer", {"shape"}}, make_input_layer},
      {{"Dense",
        {"units", "activation", "use_bias", "kernel_initializer", "bias_initializer",
         "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
         "bias_constraint"}},
       make_dense},
      {{"Conv1D", convolution_arguments()}, make_convolution<1>},
      {{"Conv2D", convolution_arguments()}, make_convolution<2>},
      {{"Conv3D", convolution_arguments()}, make_convolution<3>},
      {{"Conv1DTranspose", convolution_transpose_arguments(1)}, make_convolution_transpose<1>},
      {{"Conv2DTranspose", convolution_transpose_arguments(2)}, make_convolution_transpose<2>},
      {{"Conv3DTranspose", convolution_transpose_arguments(3)}, make_convolution_transpose<3>},
      {{"Activation", {"activation"}}, make_activation},
      {{"Flatten", {"data_format"}}, make_flatten},
      {{"Reshape", {"target_shape"}}, make_reshape},
      {{"Rescaling", {"scale", "offset"}}, make_rescaling},
      {{"Dropout", {"rate", "noise_shape", "seed"}}, make_dropout},
      {{"BatchNormalization",
        {"axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
         "moving_mean_initializer", "moving_variance_initializer", "beta_regularizer",
         "gamma_regularizer", "beta_constraint", "gamma_constraint", "renorm", "renorm_clipping",
         "renorm_momentum", "synchronized"}},
       make_batch_normalization},
      {{"LayerNormalization",
        {"axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
         "beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint",
         "rms_scaling"}},
       make_layer_normalization},
      {{"GroupNormalization",
        {"groups", "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
         "beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"}},
       make_group_normalization},
      {{"RMSNormalization", {"axis", "epsilon"}}, make_rms_normalization},
      {{"UnitNormalization", {"axis"}}, make_unit_normalization},
      {{"ReLU", {"max_value", "negative_slope", "threshold"}, true}, make_relu},
      {{"LeakyReLU", {"negative_slope", "alpha"}, true}, make_leaky_relu},
      {{"ELU", {"alpha"}, true}, make_elu},
      {{"Softmax", {"axis"}, true}, make_softmax},
      {{"PReLU", {"alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes"}},
       make_prelu},
      {{"Permute", {"dims"}}, make_permute},
      {{"RepeatVector", {"n"}}, make_repeat_vector},
      {{"Masking", {"mask_value"}}, make_masking},
      {{"GaussianNoise", {"stddev", "seed"}}, make_gaussian_noise},
      {{"GaussianDropout", {"rate", "seed"}}, make_gaussian_dropout},
      {{"ActivityRegularization", {"l1", "l2"}}, make_activity_regularization},
      {{"AlphaDropout", {"rate", "noise_shape", "seed"}}, make_alpha_dropout},
      {{"SpatialDropout1D", {"rate", "seed"}}, make_spatial_dropout<1>},
      {{"SpatialDropout2D", {"rate", "data_format", "seed"}}, make_spatial_dropout<2>},
      {{"SpatialDropout3D", {"rate", "data_format", "seed"}}, make_spatial_dropout<3>},
      {{"DepthwiseConv1D", depthwise_arguments()}, make_depthwise<1>},
      {{"DepthwiseConv2D", depthwise_arguments()}, make_depthwise<2>},
      {{"SeparableConv1D", separable_arguments()}, make_separable<1>},
      {{"SeparableConv2D", separable_arguments()}, make_separable<2>},
      {{"SimpleRNN", recurrent_arguments("SimpleRNN")}, make_simple_rnn},
      {{"LSTM", recurrent_arguments("LSTM")}, make_lstm},
      {{"GRU", recurrent_arguments("GRU")}, make_gru},
      {{"RNN",
        {"cell", "return_sequences", "return_state", "go_backwards", "stateful", "unroll",
         "zero_output_for_mask"}},
       make_rnn},
      {{"SimpleRNNCell", cell_arguments("SimpleRNNCell")}, make_simple_rnn_cell},
      {{"LSTMCell", cell_arguments("LSTMCell")}, make_lstm_cell_layer},
      {{"GRUCell", cell_arguments("GRUCell")}, make_gru_cell_layer},
      {{"StackedRNNCells", {"cells"}}, make_stacked_cells},
      {{"ConvLSTM1D", conv_lstm_arguments()}, make_conv_lstm<1>},
      {{"ConvLSTM2D", conv_lstm_arguments()}, make_conv_lstm<2>},
      {{"ConvLSTM3D", conv_lstm_arguments()}, make_conv_lstm<3>},
      {{"Bidirectional", {"layer", "merge_mode", "weights", "backward_layer"}}, make_bidirectional},
      {{"TimeDistributed", {"layer"}}, make_time_distributed},
      {{"MaxPooling1D", {"pool_size", "strides", "padding", "data_format"}},
       make_pooling<Pool::kMax, 1>},
      {{"MaxPooling2D", {"pool_size", "strides", "padding", "data_format"}},
       make_pooling<Pool::kMax, 2>},
      {{"MaxPooling3D", {"pool_size", "strides", "padding", "data_format"}},
       make_pooling<Pool::kMax, 3>},
      {{"AveragePooling1D", {"pool_size", "strides", "padding", "data_format"}},
       make_pooling<Pool::kAverage, 1>},
      {{"AveragePooling2D", {"pool_size", "strides", "padding", "data_format"}},
       make_pooling<Pool::kAverage, 2>},
      {{"AveragePooling3D", {"pool_size", "strides", "padding", "data_format"}},
       make_pooling<Pool::kAverage, 3>},
      {{"GlobalMaxPooling1D", {"data_format", "keepdims"}}, make_global_pooling<Pool::kMax, 1>},
      {{"GlobalMaxPooling2D", {"data_format", "keepdims"}}, make_global_pooling<Pool::kMax, 2>},
      {{"GlobalMaxPooling3D", {"data_format", "keepdims"}}, make_global_pooling<Pool::kMax, 3>},
      {{"GlobalAveragePooling1D", {"data_format", "keepdims"}},
       make_global_pooling<Pool::kAverage, 1>},
      {{"GlobalAveragePooling2D", {"data_format", "keepdims"}},
       make_global_pooling<Pool::kAverage, 2>},
      {{"GlobalAveragePooling3D", {"data_format", "keepdims"}},
       make_global_pooling<Pool::kAverage, 3>},
      {{"AdaptiveMaxPooling1D", {"output_size", "data_format"}},
       make_adaptive_pooling<Pool::kMax, 1>},
      {{"AdaptiveMaxPooling2D", {"output_size", "data_format"}},
       make_adaptive_pooling<Pool::kMax, 2>},
      {{"AdaptiveMaxPooling3D", {"output_size", "data_format"}},
       make_adaptive_pooling<Pool::kMax, 3>},
      {{"AdaptiveAveragePooling1D", {"output_size", "data_format"}},
       make_adaptive_pooling<Pool::kAverage, 1>},
      {{"AdaptiveAveragePooling2D", {"output_size", "data_format"}},
       make_adaptive_pooling<Pool::kAverage, 2>},
      {{"AdaptiveAveragePooling3D", {"output_size", "data_format"}},
       make_adaptive_pooling<Pool::kAverage, 3>},
      {{"ZeroPadding1D", {"padding", "data_format"}}, make_zero_padding<1>},
      {{"ZeroPadding2D", {"padding", "data_format"}}, make_zero_padding<2>},
      {{"ZeroPadding3D", {"padding", "data_format"}}, make_zero_padding<3>},
      {{"Cropping1D", {"cropping"}}, make_cropping<1>},
      {{"Cropping2D", {"cropping", "data_format"}}, make_cropping<2>},
      {{"Cropping3D", {"cropping", "data_format"}}, make_cropping<3>},
      {{"UpSampling1D", {"size"}}, make_up_sampling<1>},
      {{"UpSampling2D", {"size", "data_format", "interpolation"}}, make_up_sampling<2>},
      {{"UpSampling3D", {"size", "data_format"}}, make_up_sampling<3>},
      {{"Add", {}}, make_merging<Merge::kAdd>},
      {{"Subtract", {}}, make_merging<Merge::kSubtract>},
      {{"Multiply", {}}, make_merging<Merge::kMultiply>},
      {{"Average", {}}, make_merging<Merge::kAverage>},
      {{"Maximum", {}}, make_merging<Merge::kMaximum>},
      {{"Minimum", {}}, make_merging<Merge::kMinimum>},
      {{"Concatenate", {"axis"}}, make_concatenate},
      {{"Dot", {"axes", "normalize"}}, make_dot},
      {{"Embedding",
        {"input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer",
         "embeddings_constraint", "mask_zero"}},
       make_embedding},
      {{"MultiHeadAttention",
        {"num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape",
         "attention_axes", "kernel_initializer", "bias_initializer", "kernel_regularizer",
         "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
         "seed"}},
       make_multi_head_attention},
      {{"Attention", {"use_scale", "score_mode", "dropout", "seed"}}, make_attention},
      {{"AdditiveAttention", {"use_scale", "dropout"}}, make_additive_attention},
      {{"GroupQueryAttention", group_query_arguments()}, make_group_query_attention},
      // The class's own name, which .h5 files have.
      {{"GroupedQueryAttention", group_query_arguments()}, make_group_query_attention},
      {{"PositionEmbedding", {"sequence_length", "initializer"}}, make_position_embedding},
      {{"SinePositionEncoding", {"max_wavelength"}}, make_sine_position_encoding},
      {{"TokenAndPositionEmbedding",
        {"vocabulary_size", "sequence_length", "embedding_dim", "tie_weights",
         "embeddings_initializer", "mask_zero"}},
       make_token_and_position_embedding},
      {{"TransformerEncoder", transformer_arguments()}, make_transformer_encoder},
      {{"TransformerDecoder", transformer_arguments()}, make_transformer_decoder},
  };
  return layers;
}

/// Of token ids, which are floats in a network, too.
bool takes_integers(KerasConfig& config, const std::string& class_name) {
  const ordered_json* const dtype = config.find("dtype");
  if (class_name != "InputLayer" || dtype == nullptr || !dtype->is_string()) return false;
  const auto& name = dtype->get_ref<const std::string&>();
  return name.starts_with("int") || name.starts_with("uint");
}

/// One that is not known is a problem of training alone.
Regularizer read_activity_regularizer(KerasConfig& config) {
  const ordered_json* const value = config.find("activity_regularizer");
  try {
    return value ? make_regularizer(*value) : Regularizer{};
  } catch (const Error&) {
    config.expect_for_training("activity_regularizer", nullptr);
    return {};
  }
}

/// Sets the layer's channels_first, unless its class has made something of the key itself.
void read_data_format(KerasConfig& config, const LayerSignature& signature, Layer* layer) {
  const bool has_key = std::ranges::count(signature.arguments, "data_format") > 0;
  if (!has_key || signature.class_name.starts_with("SpatialDropout")) return;
  if (config.word("data_format", "channels_last", {"channels_last", "channels_first"}) !=
          "channels_first" ||
      layer == nullptr)
    return;
  const Activation activation = layer->final_activation();
  if (activation == Activation::kSoftmax || activation == Activation::kLogSoftmax)
    config.object_to("activation",
                     "none that goes over the last axis, together with channels_first",
                     fmt::format("'{}'", activation_name(activation)));
  layer->set_channels_first(true);
}

}  // namespace

const std::vector<LayerSignature>& layer_signatures() {
  static const std::vector<LayerSignature> signatures = [] {
    std::vector<LayerSignature> all;
    for (const Known& known : known_layers()) all.push_back(known.signature);
    return all;
  }();
  return signatures;
}

const std::vector<std::string>& layer_class_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Known& known : known_layers()) all.push_back(known.signature.class_name);
    return all;
  }();
  return names;
}

std::unique_ptr<Layer> make_layer(const std::string& class_name, KerasConfig& config) {
  const auto known = std::ranges::find(
      known_layers(), class_name, [](const Known& layer) { return layer.signature.class_name; });
  if (known == known_layers().end())
    config.refuse(
        "class_name", fmt::format("one of {}", fmt::join(layer_class_names(), ", ")),
        "'" + printable(class_name, 80) + "'" + did_you_mean(class_name, layer_class_names()));
  std::unique_ptr<Layer> layer = known->make(config);
  read_data_format(config, known->signature, layer.get());
  return finished_layer(std::move(layer), class_name, config);
}

std::unique_ptr<Layer> finished_layer(std::unique_ptr<Layer> layer, const std::string& class_name,
                                      KerasConfig& config) {
  const std::string name = config.name("name", "");
  const bool trainable = config.boolean("trainable", true);
  if (!takes_integers(config, class_name)) config.expect_float();
  config.ignore({"batch_input_shape", "build_config", "module", "registered_name"});
  // Keras makes it that of a multi-head attention's projections.
  const bool is_of_parts = class_name == "MultiHeadAttention" ||
                           class_name == "GroupQueryAttention" ||
                           class_name == "GroupedQueryAttention" || class_name == "InputLayer";
  Regularizer activity_regularizer;
  if (is_of_parts)
    config.expect_for_training("activity_regularizer", nullptr);
  else
    activity_regularizer = read_activity_regularizer(config);
  config.expect("quantization_config", nullptr);
  config.finish();
  layer->set_name(name);
  layer->set_trainable(trainable);
  if (activity_regularizer.active()) layer->set_activity_regularizer(activity_regularizer);
  return layer;
}

}  // namespace lockstep
