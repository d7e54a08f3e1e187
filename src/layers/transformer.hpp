#pragma once

#include <string>
#include <vector>

#include "src/layers/layer.hpp"
#include "src/layers/multi_head_attention.hpp"

namespace lockstep {

/// KerasHub's TransformerEncoder and TransformerDecoder (the one without an encoder's sequence):
/// self-attention of the heads, then two Dense layers at each position; behind each of both dropout
/// and the sum with its input, and a LayerNormalization before (`normalize_first`) or behind it. A
/// decoder is causal unless its call says use_causal_mask=False; an encoder leaves out queries that
/// are masked as MultiHeadAttention does, both leave out such keys. x, y: (batch, positions,
/// features); features / heads, rounded down, for each head.
class Transformer final : public Layer {
 public:
  enum class Kind : std::uint8_t { kEncoder, kDecoder };
  struct Options {
    std::int64_t intermediate = 1;  ///< units of the first Dense
    std::int64_t heads = 1;
    double dropout = 0;
    Activation activation = Activation::kRelu;  ///< of the first Dense
    double epsilon = 1e-5;
    bool normalize_first = false;
    KernelAndBias dense = {};  ///< initializers of all kernels and biases
  };

  Transformer(Kind kind, Options options) : kind_(kind), options_(std::move(options)) {}

  std::string class_name() const override {
    return kind_ == Kind::kEncoder ? "TransformerEncoder" : "TransformerDecoder";
  }
  bool is_of_keras_hub() const override { return true; }
  bool takes_causal_mask() const override { return kind_ == Kind::kDecoder; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  std::vector<Activation> activations() const override { return {options_.activation}; }
  nlohmann::ordered_json config() const override;

 private:
  void build(const Shape& input) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  MultiHeadOptions attention_options() const;
  std::size_t dense(Graph& graph, std::size_t value, std::size_t part, Activation activation);
  std::size_t normalized(Graph& graph, std::size_t value, std::size_t part);

  Kind kind_;
  Options options_;
  Shape input_;
};

}  // namespace lockstep
