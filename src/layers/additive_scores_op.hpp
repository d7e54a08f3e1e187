#pragma once

#include <cstdint>
#include <memory>

#include "src/graph/op.hpp"

namespace lockstep {

/// Scores of additive attention (Bahdanau et al., 2014): y_kq = sum over features f of
/// w_f tanh(query_qf + key_kf).  query: (queries, features), key: (keys, features), y: (keys,
/// queries), as an attention op takes them. `weights`: (features), null: ones. Chains of fused
/// multiply-adds: scores over features, the gradient by a query over keys, by a key over queries,
/// by w per grain over (sample, key, query), all ascending.
std::unique_ptr<Op> make_additive_scores_op(std::int64_t queries, std::int64_t keys,
                                            std::int64_t features, Parameter* weights);

}  // namespace lockstep
