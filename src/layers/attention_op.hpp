#pragma once

#include <cstdint>
#include <memory>

#include "src/graph/op.hpp"

namespace lockstep {

/// Sizes of scaled dot-product attention, of each sample.
struct AttentionShape {
  std::int64_t queries, keys;  ///< positions
  std::int64_t heads;
  std::int64_t key_dim, value_dim;  ///< features of each head
  float scale = 1;
  bool causal = false;                        ///< query i looks at keys 0 to i alone
  bool key_mask = false, query_mask = false;  ///< behind the values come masks: (keys), (queries)
  bool subtracts = false;  ///< 1e9 from the scores of keys that are masked or later, behind a mask
  double dropout = 0;      ///< of the weights, in training
  /// The inputs are the scores of one head, (keys, queries), and v, instead of q, k and v.
  bool given_scores = false;
};

/// y = softmax(scale q k^T) v of each head.  q: (queries, heads, key_dim), k: (keys, heads,
/// key_dim), v: (keys, heads, value_dim), y: (queries, heads, value_dim); q is scaled first.
/// Chains of fused multiply-adds: scores over the head's features, y over keys, the gradients by k
/// and v over queries, by q over keys, all ascending; sums of the softmax over keys, ascending one
/// by one. A key that is masked has weight 0. What Keras 3 does with a query that is masked, or all
/// of whose keys are: without dropout it weighs all keys alike, masked and later ones, too, and
/// with dropout, by another way through Keras, no key; no gradient goes through its scores. (Keras
/// 2 weighs alike in either case.) Keras's Attention subtracts 1e9 from the scores: so multiples
/// of 64 are left of those of a query without a key, and gradients go through them.
/// `random_key`: Layer::random_key().
std::unique_ptr<Op> make_attention_op(const AttentionShape& shape, std::uint32_t random_key);

}  // namespace lockstep
