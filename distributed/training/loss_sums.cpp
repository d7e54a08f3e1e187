#include "distributed/training/loss_sums.hpp"

#include <algorithm>

namespace lockstep {

std::size_t loss_sum_count(const Objective& objective) {
  return 1 + objective.metrics().size();
}

void loss_sums_of(const Objective& objective, Matrix outputs, const Targets& targets,
                  Matrix gradient, float scale, std::span<double> sums) {
  sums[0] = objective.loss().compute(outputs, targets, gradient, scale, objective.loss_is_fused());
  for (std::size_t i = 0; i < objective.metrics().size(); ++i)
    sums[i + 1] = objective.metrics()[i]->sum(outputs, targets);
}

void LossSums::add_up(DistributedOptimizer& optimizer, const Targets& targets, const Block& block,
                      float scale) {
  const std::int64_t positions = objective_->output_positions();
  const std::int64_t columns = objective_->output_columns();
  const Workspace& workspace = optimizer.workspace();
  const Range of_block{workspace.first_row() + block.rows.first,
                       workspace.first_row() + block.rows.last};
  const Matrix outputs = workspace.output(of_block).with_columns(columns);
  const Matrix gradient = workspace.output_gradient(of_block).with_columns(columns);
  const Subtrees subtrees = optimizer.subtrees();
  for (std::size_t i = 0; i < block.subtrees; ++i) {
    const std::size_t subtree = block.first_subtree + i;
    const Range rows = block.pieces > 1 ? block.rows : subtrees.samples[subtree];
    if (block.piece == 0) tree_.begin(subtrees.grains(subtree));
    for (std::int64_t row = rows.first; row < rows.last; row += subtrees.grain) {
      const std::int64_t in_block = (row - block.rows.first) * positions;
      const std::int64_t count = std::min(subtrees.grain, rows.last - row) * positions;
      loss_sums_of(*objective_, outputs.rows_from(in_block, count),
                   targets.slice(row * positions, count), gradient.rows_from(in_block, count),
                   scale, tree_.leaf());
      tree_.push();
    }
    if (block.piece + 1 == block.pieces)
      std::ranges::copy(tree_.root(), optimizer.loss_sums(subtree).begin());
  }
}

}  // namespace lockstep
