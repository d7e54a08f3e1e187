#include "distributed/training/loss_sums.hpp"

#include <algorithm>

namespace lockstep {

std::size_t loss_sum_count(const Sequential& model) {
  return 1 + model.metrics().size();
}

void loss_sums_of(const Sequential& model, Matrix outputs, const Targets& targets, Matrix gradient,
                  float scale, std::span<double> sums) {
  sums[0] = model.loss().compute(outputs, targets, gradient, scale, model.loss_is_fused());
  for (std::size_t i = 0; i < model.metrics().size(); ++i)
    sums[i + 1] = model.metrics()[i]->sum(outputs, targets);
}

void LossSums::add_up(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                      const Subtrees& subtrees, std::size_t subtree, std::span<double> sums) {
  const std::int64_t positions = model_->output_positions();
  const Range rows = subtrees.samples[subtree];
  tree_.begin(subtrees.grains(subtree));
  for (std::int64_t row = rows.first; row < rows.last; row += subtrees.grain) {
    const std::int64_t first = row * positions;
    const std::int64_t count = std::min(subtrees.grain, rows.last - row) * positions;
    loss_sums_of(*model_, outputs.rows_from(first, count), targets.slice(first, count),
                 gradient.rows_from(first, count), scale, tree_.leaf());
    tree_.push();
  }
  std::ranges::copy(tree_.root(), sums.begin());
}

}  // namespace lockstep
