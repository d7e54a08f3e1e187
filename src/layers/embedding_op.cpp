#include "src/layers/embedding_op.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "src/core/error.hpp"
#include "src/graph/sparse_tree_sum.hpp"

namespace lockstep {
namespace {

/// The positions at which each of some tokens stands, ascending.
class TokenPositions {
 public:
  static constexpr std::int64_t kNone = -1;

  void find(std::span<const float> ids, Range tokens) {
    first_.assign(static_cast<std::size_t>(tokens.count()), kNone);
    next_.resize(ids.size());
    for (std::size_t i = ids.size(); i-- > 0;) {
      const std::int64_t token = static_cast<std::int64_t>(ids[i]) - tokens.first;
      if (token < 0 || token >= tokens.count()) continue;
      next_[i] =
          std::exchange(first_[static_cast<std::size_t>(token)], static_cast<std::int64_t>(i));
    }
  }
  /// `token` counts from the first of them.
  std::int64_t first(std::int64_t token) const { return first_[static_cast<std::size_t>(token)]; }
  std::int64_t next(std::int64_t position) const {
    return next_[static_cast<std::size_t>(position)];
  }

 private:
  std::vector<std::int64_t> first_, next_;
};

class EmbeddingOp final : public Op {
 public:
  EmbeddingOp(Parameter* table, std::int64_t positions, std::string layer)
      : parameters_{table},
        positions_(positions),
        tokens_(table->shape.front()),
        features_(table->shape.back()),
        layer_(std::move(layer)) {}

  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = false, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  bool looks_up() const override { return true; }
  std::optional<Indices> indices() const override { return Indices{tokens_, layer_}; }

  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass&, const OpValues& values) const override {
    if (const Matrix dx = values.dx(); !dx.empty()) std::ranges::fill(dx.flat(), 0.0f);
  }
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& of_samples,
                std::size_t parameter, Range elements, float* out) const override;

 private:
  std::array<Parameter*, 1> parameters_;
  std::int64_t positions_, tokens_, features_;
  std::string layer_;
};

void EmbeddingOp::forward(const Pass&, const OpValues& values) const {
  const std::span<const float> ids = values.x().flat();
  const float* const table = parameters_[0]->value.data();
  float* y = values.y().data;
  for (std::size_t i = 0; i < ids.size(); ++i, y += features_) {
    const bool is_id =
        ids[i] >= 0 && ids[i] < static_cast<float>(tokens_) && ids[i] == std::floor(ids[i]);
    if (!is_id) {
      const auto at = static_cast<std::int64_t>(i);
      fail(ExitCode::kBadData,
           "[{}] expected token ids from 0 to {}, got {} in row {} of the batch, position {}",
           layer_, tokens_ - 1, ids[i], values.batch_row() + at / positions_, at % positions_);
    }
    std::copy_n(table + static_cast<std::int64_t>(ids[i]) * features_, features_, y);
  }
}

void EmbeddingOp::gradient(const Pass&, const OpValues& values, const Subtrees& of_samples,
                           std::size_t, Range elements, float* out) const {
  thread_local TokenPositions found;
  const Subtrees subtrees = of_samples.with_positions(positions_);
  const ConstMatrix ids = values.x().with_columns(1);
  const ConstMatrix dy = values.dy().with_columns(features_);
  const Range tokens{elements.first / features_, (elements.last + features_ - 1) / features_};
  for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, out += subtrees.stride) {
    const Range rows = subtrees.rows(subtree);
    std::fill_n(out, elements.count(), 0.0f);
    found.find(ids.rows_from(rows.first, rows.count()).flat(), tokens);
    for (std::int64_t token = 0; token < tokens.count(); ++token) {
      if (found.first(token) == TokenPositions::kNone) continue;
      const std::int64_t row = (tokens.first + token) * features_;
      const std::int64_t last = std::min(row + features_, elements.last);
      for (std::int64_t at = std::max(row, elements.first); at < last;
           at += SparseTreeSum::kTogether) {
        const std::int64_t count = std::min(SparseTreeSum::kTogether, last - at);
        SparseTreeSum sum(count);
        std::int64_t grain = -1;
        for (std::int64_t i = found.first(token); i != TokenPositions::kNone; i = found.next(i)) {
          if (i / subtrees.grain_rows() != grain) sum.begin_leaf(grain = i / subtrees.grain_rows());
          sum.add(dy.row(rows.first + i) + at - row);
        }
        std::copy_n(sum.finish(), count, out + at - elements.first);
      }
    }
  }
}

}  // namespace

std::unique_ptr<Op> make_embedding_op(Parameter* table, std::int64_t positions, std::string layer) {
  return std::make_unique<EmbeddingOp>(table, positions, std::move(layer));
}

}  // namespace lockstep
