#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/core/keras_config.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

// Layers of sequences of tokens from their configs, for make_layer().

inline std::vector<std::string> transformer_arguments() {
  return {"intermediate_dim",   "num_heads",          "dropout",          "activation",
          "layer_norm_epsilon", "kernel_initializer", "bias_initializer", "normalize_first"};
}

inline std::vector<std::string> group_query_arguments() {
  return {"head_dim",
          "num_query_heads",
          "num_key_value_heads",
          "dropout",
          "use_bias",
          "sliding_window",
          "flash_attention",
          "kernel_initializer",
          "bias_initializer",
          "kernel_regularizer",
          "bias_regularizer",
          "activity_regularizer",
          "kernel_constraint",
          "bias_constraint",
          "use_gate",
          "seed"};
}

std::unique_ptr<Layer> make_embedding(KerasConfig& config);
std::unique_ptr<Layer> make_attention(KerasConfig& config);
std::unique_ptr<Layer> make_additive_attention(KerasConfig& config);
std::unique_ptr<Layer> make_group_query_attention(KerasConfig& config);
std::unique_ptr<Layer> make_time_distributed(KerasConfig& config);
std::unique_ptr<Layer> make_multi_head_attention(KerasConfig& config);
std::unique_ptr<Layer> make_position_embedding(KerasConfig& config);
std::unique_ptr<Layer> make_sine_position_encoding(KerasConfig& config);
std::unique_ptr<Layer> make_token_and_position_embedding(KerasConfig& config);
std::unique_ptr<Layer> make_transformer_encoder(KerasConfig& config);
std::unique_ptr<Layer> make_transformer_decoder(KerasConfig& config);

}  // namespace lockstep
