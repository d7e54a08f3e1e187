#include "src/layers/make_sequences.hpp"

#include <limits>

#include "src/layers/attention.hpp"
#include "src/layers/config_values.hpp"
#include "src/layers/embedding.hpp"
#include "src/layers/inner_layer.hpp"
#include "src/layers/make_noise.hpp"
#include "src/layers/multi_head_attention.hpp"
#include "src/layers/position_embedding.hpp"
#include "src/layers/time_distributed.hpp"
#include "src/layers/transformer.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostHeads = 1 << 16;

std::unique_ptr<Layer> make_transformer(Transformer::Kind kind, KerasConfig& config) {
  Transformer::Options options;
  options.intermediate = config.integer("intermediate_dim", 1, kMost);
  options.heads = config.integer("num_heads", 1, kMostHeads);
  options.dropout = read_number(config, "dropout", options.dropout, 0, 1);
  if (config.find("activation")) options.activation = read_activation(config);
  options.epsilon = read_number(config, "layer_norm_epsilon", options.epsilon, 0,
                                std::numeric_limits<double>::infinity());
  options.normalize_first = config.boolean("normalize_first", options.normalize_first);
  options.dense.kernel_initializer =
      read_initializer(config, "kernel_initializer", options.dense.kernel_initializer);
  options.dense.bias_initializer =
      read_initializer(config, "bias_initializer", options.dense.bias_initializer);
  return std::make_unique<Transformer>(kind, std::move(options));
}

std::unique_ptr<Layer> make_attention(Attention::Options options, KerasConfig& config) {
  options.dropout = read_number(config, "dropout", 0, 0, 1);
  config.expect("causal", false);  // before Keras 2.10
  ignore_seed(config);
  return std::make_unique<Attention>(options);
}

}  // namespace

std::unique_ptr<Layer> make_embedding(KerasConfig& config) {
  const std::int64_t tokens = config.integer("input_dim", 1, Embedding::kMostTokens);
  const std::int64_t features = config.integer("output_dim", 1, kMost);
  Embedding::Options options;
  options.initializer = read_initializer(config, "embeddings_initializer", options.initializer);
  options.regularizer = read_regularizer(config, "embeddings_regularizer");
  options.mask_zero = config.boolean("mask_zero", options.mask_zero);
  options.constraint = read_constraint(config, "embeddings_constraint");
  config.expect_for_training("dropout", 0);  // Keras 1's, of whole ids
  config.expect("lora_rank", nullptr);
  config.expect("sparse", false);
  config.ignore({"input_length", "lora_alpha"});  // the input has its shape anyway
  return std::make_unique<Embedding>(tokens, features, std::move(options));
}

std::unique_ptr<Layer> make_attention(KerasConfig& config) {
  Attention::Options options;
  options.use_scale = config.boolean("use_scale", options.use_scale);
  if (config.word("score_mode", "dot", {"dot", "concat"}) == "concat")
    options.scores = Scores::kConcat;
  return make_attention(options, config);
}

std::unique_ptr<Layer> make_additive_attention(KerasConfig& config) {
  const bool use_scale = config.boolean("use_scale", true);
  return make_attention({.scores = Scores::kAdditive, .use_scale = use_scale}, config);
}

std::unique_ptr<Layer> make_group_query_attention(KerasConfig& config) {
  MultiHeadOptions options;
  options.key_dim = options.value_dim = config.integer("head_dim", 1, kMost);
  options.heads = config.integer("num_query_heads", 1, kMostHeads);
  options.key_value_heads = config.integer("num_key_value_heads", 1, kMostHeads);
  if (options.key_value_heads < 1 || options.heads % options.key_value_heads != 0)
    config.object_to("num_key_value_heads",
                     fmt::format("a divisor of {} heads of the query", options.heads),
                     fmt::format("{}", options.key_value_heads));
  options.dropout = read_number(config, "dropout", 0, 0, 1);
  options.projections = KernelAndBias::read(config);
  options.gate = config.boolean("use_gate", false);
  config.expect("sliding_window", nullptr);
  config.ignore({"flash_attention"});  // another way to the same numbers
  ignore_seed(config);
  return std::make_unique<MultiHeadAttention>(std::move(options));
}

std::unique_ptr<Layer> make_time_distributed(KerasConfig& config) {
  if (!config.find("layer")) config.refuse("layer", "a layer", "nothing");
  std::unique_ptr<Layer> layer = read_inner_layer(config, "layer");
  config.throw_if_any();
  return config.convert("layer", [&]() -> std::unique_ptr<Layer> {
    return std::make_unique<TimeDistributed>(std::move(layer));
  });
}

std::unique_ptr<Layer> make_multi_head_attention(KerasConfig& config) {
  MultiHeadOptions options;
  options.heads = config.integer("num_heads", 1, kMostHeads);
  options.key_dim = config.integer("key_dim", 1, kMost);
  options.value_dim = config.integer("value_dim", options.key_dim, 1, kMost);
  options.dropout = read_number(config, "dropout", 0, 0, 1);
  options.projections = KernelAndBias::read(config);
  config.expect("output_shape", nullptr);
  config.expect("attention_axes", nlohmann::ordered_json::array({1}));  // what null becomes
  config.expect("use_gate", false);
  config.expect("sliding_window", nullptr);
  ignore_seed(config);
  config.ignore({"query_shape", "key_shape", "value_shape"});  // Keras 2's
  return std::make_unique<MultiHeadAttention>(std::move(options));
}

std::unique_ptr<Layer> make_position_embedding(KerasConfig& config) {
  const std::int64_t length = config.integer("sequence_length", 1, kMost);
  return std::make_unique<PositionEmbedding>(
      length,
      read_initializer(config, "initializer", make_initializer(std::string("glorot_uniform"))));
}

std::unique_ptr<Layer> make_sine_position_encoding(KerasConfig& config) {
  const double wavelength = config.number("max_wavelength", 10000.0);
  if (!(wavelength >= 1))
    config.object_to("max_wavelength", "a number of at least 1", fmt::format("{}", wavelength));
  return std::make_unique<SinePositionEncoding>(wavelength);
}

std::unique_ptr<Layer> make_token_and_position_embedding(KerasConfig& config) {
  const std::int64_t tokens = config.integer("vocabulary_size", 1, Embedding::kMostTokens);
  const std::int64_t length = config.integer("sequence_length", 1, kMost);
  const std::int64_t features = config.integer("embedding_dim", 1, kMost);
  Embedding::Options options;
  options.initializer = read_initializer(config, "embeddings_initializer", options.initializer);
  options.mask_zero = config.boolean("mask_zero", options.mask_zero);
  config.expect("tie_weights", true);
  return std::make_unique<TokenAndPositionEmbedding>(tokens, length, features, std::move(options));
}

std::unique_ptr<Layer> make_transformer_encoder(KerasConfig& config) {
  return make_transformer(Transformer::Kind::kEncoder, config);
}

std::unique_ptr<Layer> make_transformer_decoder(KerasConfig& config) {
  config.expect("encoder_sequence_shape", nullptr);
  config.ignore({"decoder_sequence_shape"});  // the input has it anyway
  return make_transformer(Transformer::Kind::kDecoder, config);
}

}  // namespace lockstep
