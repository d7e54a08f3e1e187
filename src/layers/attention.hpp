#pragma once

#include <string>
#include <vector>

#include "src/layers/layer.hpp"

namespace lockstep {

/// How Keras's Attention compares a query with a key.
enum class Scores : std::uint8_t {
  kDot,       ///< Attention: their product
  kConcat,    ///< Attention: sum of tanh(query + key), times a weight
  kAdditive,  ///< AdditiveAttention: sum of w tanh(query + key)
};

/// Keras's Attention and AdditiveAttention, of one head: softmax(scores) value, applied to query,
/// value and key; without a key to the value instead. query: (batch, T, features), key: (batch, S,
/// features), value: (batch, S, value features), y: (batch, T, value features). Parameters:
/// `scale`, if it is used, a factor of the products, or of query and key before tanh, or (features)
/// the w of AdditiveAttention; `concat_score_weight`. Whether it is causal is an argument of the
/// call: Graph::causal(). A mask of the value leaves keys out, one of the key nothing; y has the
/// mask of the query, and is 0 where that is.
class Attention final : public Layer {
 public:
  struct Options {
    Scores scores = Scores::kDot;
    bool use_scale = false;
    double dropout = 0;  ///< of the attention weights
  };

  explicit Attention(Options options) : options_(options) {}

  std::string class_name() const override {
    return options_.scores == Scores::kAdditive ? "AdditiveAttention" : "Attention";
  }
  bool merges() const override { return true; }
  bool takes_causal_mask() const override { return true; }
  bool takes_list() const override { return true; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  void build_for(const std::vector<Shape>& inputs) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;
  std::size_t scores(Graph& graph, std::size_t query, std::size_t key);

  Options options_;
  std::int64_t features_ = 0;  ///< of query and key
};

}  // namespace lockstep
