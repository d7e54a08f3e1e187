#include "src/layers/additive_scores_op.hpp"

#include <algorithm>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/parallel.hpp"
#include "src/core/scratch.hpp"
#include "src/graph/grain_sums.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// Functions below which threads would cost more than they save.
constexpr std::int64_t kWorthThreads = 1 << 16;

class AdditiveScoresOp final : public Op {
 public:
  AdditiveScoresOp(std::int64_t queries, std::int64_t keys, std::int64_t features,
                   Parameter* weights)
      : queries_(queries),
        keys_(keys),
        features_(features),
        weights_(weights),
        ones_(weights ? 0 : static_cast<std::size_t>(features), 1.0f) {}

  Needs needs() const override { return {.backward_reads_y = false, .gradient_reads_y = false}; }
  std::span<Parameter* const> parameters() const override {
    return {&weights_, weights_ == nullptr ? 0u : 1u};
  }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override;

 private:
  const float* weights() const { return weights_ ? weights_->value.data() : ones_.data(); }
  /// tanh of some features of all queries, each with this key's: (queries, columns).
  void tanhs(const float* query, const float* key, Range columns, Matrix to) const {
    for (std::int64_t i = 0; i < queries_; ++i)
      kernels().sum(query + i * features_ + columns.first, key + columns.first, to.row(i),
                    columns.count());
    activate(Activation::kTanh, to);
  }
  /// f(sample) of all, on as many threads as are worth it.
  template <class F>
  void for_samples(std::int64_t samples, const F& f) const {
    const bool worth = samples * queries_ * keys_ * features_ >= kWorthThreads;
    const std::int64_t parts = worth ? threads() : 1;
    parallel_for(parts, [&](std::int64_t part) {
      const Range mine = part_of({0, samples}, part, parts, 1);
      for (std::int64_t i = mine.first; i < mine.last; ++i) f(i);
    });
  }

  std::int64_t queries_, keys_, features_;
  Parameter* weights_;
  std::vector<float> ones_;
};

void AdditiveScoresOp::forward(const Pass& pass, const OpValues& values) const {
  const ConstMatrix query = values.x(0), key = values.x(1);
  const Matrix y = values.y();
  for_samples(values.rows(), [&](std::int64_t i) {
    const Matrix t = Scratch(Scratch::floats(queries_, features_)).take(queries_, features_);
    for (std::int64_t k = 0; k < keys_; ++k) {
      tanhs(query.row(i), key.row(i) + k * features_, {0, features_}, t);
      multiply_transposed_b(pass.numerics, ConstMatrix{weights(), 1, features_}, t,
                            Matrix{y.row(i) + k * queries_, 1, queries_});
    }
  });
}

/// u_qf = dy_kq w_f tanh'; a query's gradient is the sum of its u over keys, a key's over queries.
void AdditiveScoresOp::backward(const Pass&, const OpValues& values) const {
  const ConstMatrix query = values.x(0), key = values.x(1), dy = values.dy();
  const Matrix dquery = values.dx(0), dkey = values.dx(1);
  if (dquery.empty() && dkey.empty()) return;
  for_samples(values.rows(), [&](std::int64_t i) {
    const std::int64_t size = queries_ * features_;
    Scratch scratch(2 * Scratch::floats(queries_, features_));
    const Matrix t = scratch.take(queries_, features_), u = scratch.take(queries_, features_);
    if (!dquery.empty()) std::fill_n(dquery.row(i), size, 0.0f);
    for (std::int64_t k = 0; k < keys_; ++k) {
      tanhs(query.row(i), key.row(i) + k * features_, {0, features_}, t);
      for (std::int64_t q = 0; q < queries_; ++q)
        kernels().scale_shift(weights(), u.row(q), features_, dy.row(i)[k * queries_ + q], 0.0f);
      activation_backward(Activation::kTanh, t, t, u);
      if (!dquery.empty()) kernels().sum(dquery.row(i), u.data, dquery.row(i), size);
      if (dkey.empty()) continue;
      float* const sum = dkey.row(i) + k * features_;
      std::fill_n(sum, features_, 0.0f);
      for (std::int64_t q = 0; q < queries_; ++q) kernels().sum(sum, u.row(q), sum, features_);
    }
  });
}

void AdditiveScoresOp::gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                                std::size_t, Range elements, float* out) const {
  const ConstMatrix query = values.x(0), key = values.x(1), dy = values.dy();
  const auto leaf = [&](Range samples, Range some, float* sums) {
    const Matrix t = Scratch(Scratch::floats(queries_, some.count())).take(queries_, some.count());
    for (std::int64_t i = samples.first; i < samples.last; ++i) {
      for (std::int64_t k = 0; k < keys_; ++k) {
        tanhs(query.row(i), key.row(i) + k * features_, some, t);
        multiply(pass.numerics, ConstMatrix{dy.row(i) + k * queries_, 1, queries_}, t,
                 Matrix{sums, 1, some.count()}, Chains::kGoOn);
      }
    }
  };
  sum_grains(subtrees, elements, out, leaf);
}

}  // namespace

std::unique_ptr<Op> make_additive_scores_op(std::int64_t queries, std::int64_t keys,
                                            std::int64_t features, Parameter* weights) {
  return std::make_unique<AdditiveScoresOp>(queries, keys, features, weights);
}

}  // namespace lockstep
