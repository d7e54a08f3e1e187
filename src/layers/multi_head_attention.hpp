#pragma once

#include <string>
#include <vector>

#include "src/layers/kernel_and_bias.hpp"
#include "src/layers/layer.hpp"

namespace lockstep {

/// What multi-head attention consists of.
struct MultiHeadOptions {
  std::int64_t heads = 1;
  std::int64_t key_dim = 1, value_dim = 1;  ///< of each head
  /// Of GroupQueryAttention: each for as many consecutive heads of the query; 0: as many as these.
  std::int64_t key_value_heads = 0;
  bool gate = false;   ///< what comes out of the heads is multiplied by sigmoid(query's projection)
  double dropout = 0;  ///< of the attention weights
  KernelAndBias projections = {};  ///< of all

  bool grouped() const { return key_value_heads > 0; }
  std::int64_t heads_of_keys() const { return grouped() ? key_value_heads : heads; }
};

/// The projections of query, key, gate, value and of what comes out of the heads, a kernel and a
/// bias each, in Keras's order; names as in "query/kernel". `features` of query, key and value.
std::vector<Parameter> multi_head_parameters(const MultiHeadOptions& options, std::int64_t query,
                                             std::int64_t key, std::int64_t value);
/// What attention leaves out: masks of the keys (S) and queries (T), and keys behind the query.
struct AttentionMasks {
  std::optional<std::size_t> keys = {}, queries = {};
  bool causal = false;
};
/// Adds the ops.  query: (T, features), key, value: (S, features), result: (T, features of query).
std::size_t multi_head_attention(Graph& graph, std::size_t query, std::size_t key,
                                 std::size_t value, const MultiHeadOptions& options,
                                 std::span<Parameter> parameters, const AttentionMasks& masks,
                                 std::uint32_t random_key);
/// Keras 3's MultiHeadAttention, but not its GroupQueryAttention, takes their masks from the values
/// that it is called with: layers that read them later find none. Keras 2 leaves them there.
void take_masks(Graph& graph, std::span<const std::size_t> values);

/// Attention of several heads (Vaswani et al., 2017), of which some may share a key and a value
/// (Ainslie et al., 2023: Keras's GroupQueryAttention), applied to query, value and key; without a
/// key to the value instead. query: (batch, T, ...), value, key: (batch, S, ...), y: (batch, T,
/// features of query). Each head's scores are divided by sqrt(key_dim). Whether it is causal is an
/// argument of the call: Graph::causal(). Keys are left out that are masked, or whose values are,
/// and queries that are masked: attention_op.hpp says what comes out. y has the mask of the query.
class MultiHeadAttention final : public Layer {
 public:
  explicit MultiHeadAttention(MultiHeadOptions options) : options_(std::move(options)) {}

  std::string class_name() const override {
    return options_.grouped() ? "GroupedQueryAttention" : "MultiHeadAttention";
  }
  bool merges() const override { return true; }
  bool takes_causal_mask() const override { return true; }
  OnMask on_mask() const override { return OnMask::kLowers; }
  nlohmann::ordered_json config() const override;

 private:
  void build_for(const std::vector<Shape>& inputs) override;
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  MultiHeadOptions options_;
  std::vector<std::int64_t> features_;  ///< of query, key and value
};

}  // namespace lockstep
