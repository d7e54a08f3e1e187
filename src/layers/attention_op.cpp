#include "src/layers/attention_op.hpp"

#include <algorithm>

#include "src/core/float_buffer.hpp"
#include "src/core/parallel.hpp"
#include "src/kernels/exact_products.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/random_factors_op.hpp"
#include "src/layers/row_random.hpp"

namespace lockstep {
namespace {

/// Multiplications below which threads would cost more than they save.
constexpr std::int64_t kWorthThreads = 1 << 20;

/// Memory of this thread that grows when needed and is kept.
float* attention_scratch(std::int64_t floats) {
  thread_local FloatBuffer memory;
  return memory.at_least(floats);
}

/// Some columns of rows that lie further apart.
template <class T>
struct Head {
  T* data;
  std::int64_t stride;
  std::int64_t columns;
};

/// c = a^T b, one chain over all rows.  a: (k, m) without gaps, b: (k, n), c: (m, n).
void multiply_transposed_a(const float* a, std::int64_t m, Head<const float> b, Head<float> c,
                           std::int64_t k) {
  constexpr unsigned char kNoMerges = 0;
  exact_gemm().multiply_transposed_a({a, m, b.data, b.stride, c.data, c.stride, m, b.columns, k}, k,
                                     &kNoMerges);
}
/// c = a b.  a: (m, k) without gaps, b: (k, n), c: (m, n).
void multiply(const float* a, std::int64_t k, Head<const float> b, Head<float> c, std::int64_t m) {
  exact_gemm().multiply({a, k, b.data, b.stride, c.data, c.stride, m, b.columns, k});
}
/// c = a b^T.  a: (m, k), b: (n, k), c: (m, n) without gaps.
void multiply_transposed_b(Head<const float> a, Head<const float> b, float* c, std::int64_t m,
                           std::int64_t n) {
  exact_gemm().multiply_transposed_b({a.data, a.stride, b.data, b.stride, c, n, m, n, a.columns});
}

/// Weights are kept transposed, (keys, queries) of each head, and behind all of them the factors of
/// dropout: so softmax goes down the rows of many queries at once.
class AttentionOp final : public Op {
 public:
  AttentionOp(const AttentionShape& shape, std::uint32_t random_key)
      : shape_(shape), random_key_(random_key) {}

  Needs needs() const override {
    return {.kept_per_row = shape_.heads * scores() * (shape_.dropout > 0 ? 2 : 1),
            .backward_reads_y = false,
            .draws = shape_.dropout > 0};
  }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;

 private:
  std::int64_t scores() const { return shape_.keys * shape_.queries; }
  std::int64_t query_row() const { return shape_.heads * shape_.key_dim; }
  bool drops(const Pass& pass) const { return pass.training && shape_.dropout > 0; }
  Head<const float> key_head(const float* sample, std::int64_t head) const {
    return {sample + head * shape_.key_dim, query_row(), shape_.key_dim};
  }
  template <class T>
  Head<T> value_head(T* sample, std::int64_t head) const {
    return {sample + head * shape_.value_dim, shape_.heads * shape_.value_dim, shape_.value_dim};
  }
  std::size_t v_input() const { return shape_.given_scores ? 1 : 2; }
  bool masked() const { return shape_.key_mask || shape_.query_mask; }
  AttentionMask mask_of(const OpValues& values, std::int64_t sample) const {
    std::size_t input = v_input() + 1;
    AttentionMask mask;
    if (shape_.key_mask) mask.keys = values.x(input++).row(sample);
    if (shape_.query_mask) mask.queries = values.x(input).row(sample);
    mask.otherwise = shape_.dropout > 0 ? 0.0f : 1.0f / static_cast<float>(shape_.keys);
    return mask;
  }
  /// Of the scores of keys that are masked, or later than a causal query.
  void subtract(const AttentionMask& mask, float* s) const {
    constexpr float kPenalty = 1e9f;
    for (std::int64_t key = 0; key < shape_.keys; ++key) {
      const std::int64_t later = shape_.causal ? std::min(key, shape_.queries) : 0;
      float* const row = s + key * shape_.queries;
      kernels().scale_shift(row, row, mask.keys[key] == 0 ? shape_.queries : later, 1.0f,
                            -kPenalty);
    }
  }
  /// Behind those that are masked or have no key left lies nothing: ds = 0.
  void clear_gradients(const AttentionMask& mask, float* ds) const {
    std::int64_t first = 0;
    while (mask.keys != nullptr && first < shape_.keys && mask.keys[first] == 0) ++first;
    for (std::int64_t query = 0; query < shape_.queries; ++query) {
      const bool none = first == shape_.keys || (shape_.causal && first > query);
      if (!none && (mask.queries == nullptr || mask.queries[query] != 0)) continue;
      for (std::int64_t key = 0; key < shape_.keys; ++key) ds[key * shape_.queries + query] = 0;
    }
  }
  /// to = q * scale, of a sample.
  void scaled(const float* q, float* to) const {
    kernels().scale_shift(q, to, shape_.queries * query_row(), shape_.scale, 0.0f);
  }
  /// f(sample) of all, on as many threads as are worth it.
  template <class F>
  void for_samples(std::int64_t samples, const F& f) const {
    const std::int64_t work =
        samples * shape_.heads * scores() * (shape_.key_dim + shape_.value_dim);
    const std::int64_t parts = work < kWorthThreads ? 1 : threads();
    parallel_for(parts, [&](std::int64_t part) {
      const Range mine = part_of({0, samples}, part, parts, 1);
      for (std::int64_t i = mine.first; i < mine.last; ++i) f(i);
    });
  }

  AttentionShape shape_;
  std::uint32_t random_key_;
};

void AttentionOp::forward(const Pass& pass, const OpValues& values) const {
  const ConstMatrix q = values.x(0), k = values.x(1), v = values.x(v_input());
  const Matrix y = values.y(), kept = values.kept();
  const std::int64_t all = shape_.heads * scores();
  const bool drops = this->drops(pass);
  for_samples(values.rows(), [&](std::int64_t i) {
    float* const q_scaled = attention_scratch(shape_.queries * query_row() + 2 * scores());
    float* const scratch = q_scaled + shape_.queries * query_row();
    if (!shape_.given_scores) scaled(q.row(i), q_scaled);
    if (drops)
      RowRandom(pass, Purpose::kAttention, random_key_)
          .mask(values.batch_row() + i, shape_.dropout, scale_of_kept(shape_.dropout),
                {kept.row(i) + all, static_cast<std::size_t>(all)});
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      float* const p = kept.empty() ? scratch : kept.row(i) + head * scores();
      if (shape_.given_scores)
        std::copy_n(q.row(i), scores(), p);
      else
        multiply_transposed_b(key_head(k.row(i), head), key_head(q_scaled, head), p, shape_.keys,
                              shape_.queries);
      if (shape_.subtracts) subtract(mask_of(values, i), p);
      if (masked() && !shape_.subtracts)
        kernels().attention_softmax_masked(p, shape_.keys, shape_.queries, shape_.causal,
                                           mask_of(values, i));
      else
        kernels().attention_softmax(p, shape_.keys, shape_.queries,
                                    shape_.causal && !shape_.subtracts);
      const float* weights = p;
      if (drops) {
        weights = scratch + scores();
        kernels().multiply(p, kept.row(i) + all + head * scores(), scratch + scores(), scores());
      }
      multiply_transposed_a(weights, shape_.queries, value_head(v.row(i), head),
                            value_head(y.row(i), head), shape_.keys);
    }
  });
}

void AttentionOp::backward(const Pass& pass, const OpValues& values) const {
  const ConstMatrix q = values.x(0), k = values.x(1), v = values.x(v_input()), kept = values.kept();
  const ConstMatrix dy = values.dy();
  const Matrix dq = values.dx(0), dv = values.dx(v_input());
  const Matrix dk = shape_.given_scores ? Matrix() : values.dx(1);
  const std::int64_t all = shape_.heads * scores();
  const bool drops = this->drops(pass);
  for_samples(values.rows(), [&](std::int64_t i) {
    float* const q_scaled = attention_scratch(shape_.queries * query_row() + 2 * scores());
    float* const ds = q_scaled + shape_.queries * query_row();
    float* const dropped = ds + scores();
    if (!dk.empty()) scaled(q.row(i), q_scaled);
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      const float* const p = kept.row(i) + head * scores();
      const float* const factors = p + all;
      const Head<const float> dy_head = value_head(dy.row(i), head);
      if (drops) kernels().multiply(p, factors, dropped, scores());
      if (!dv.empty())
        multiply(drops ? dropped : p, shape_.queries, dy_head, value_head(dv.row(i), head),
                 shape_.keys);
      if (dq.empty() && dk.empty()) continue;
      multiply_transposed_b(value_head(v.row(i), head), dy_head, ds, shape_.keys, shape_.queries);
      if (drops) kernels().multiply(ds, factors, ds, scores());
      kernels().attention_softmax_backward(p, ds, shape_.keys, shape_.queries);
      if (masked() && !shape_.subtracts) clear_gradients(mask_of(values, i), ds);
      if (shape_.given_scores) {
        std::copy_n(ds, scores(), dq.row(i));
        continue;
      }
      const auto head_of = [&](Matrix dx) {
        return Head<float>{dx.row(i) + head * shape_.key_dim, query_row(), shape_.key_dim};
      };
      if (!dq.empty())
        multiply_transposed_a(ds, shape_.queries, key_head(k.row(i), head), head_of(dq),
                              shape_.keys);
      if (!dk.empty())
        multiply(ds, shape_.queries, key_head(q_scaled, head), head_of(dk), shape_.keys);
    }
    if (!dq.empty() && !shape_.given_scores) scaled(dq.row(i), dq.row(i));
  });
}

}  // namespace

std::unique_ptr<Op> make_attention_op(const AttentionShape& shape, std::uint32_t random_key) {
  return std::make_unique<AttentionOp>(shape, random_key);
}

}  // namespace lockstep
