#include "distributed/training/loss_sums.hpp"

#include <algorithm>

namespace lockstep {

namespace {

/// f(first position, number) of those that count and stand together.
template <class F>
void for_counted(std::span<const float> mask, const F& f) {
  for (std::size_t first = 0, end = 0; first < mask.size(); first = end) {
    while (end < mask.size() && mask[end] == mask[first]) ++end;
    if (mask[first] != 0)
      f(static_cast<std::int64_t>(first), static_cast<std::int64_t>(end - first));
  }
}

/// Of positions that count; those of equal weight, which is that of the sample times that of its
/// class, are taken as they stand together.
double weighted_loss(const Objective& objective, Matrix outputs, const Targets& targets,
                     Matrix gradient, float scale, const ClassWeights& weights) {
  const auto loss = [&](std::int64_t first, std::int64_t number, float by) {
    return objective.loss().compute(outputs.rows_from(first, number), targets.slice(first, number),
                                    gradient.rows_from(first, number), by,
                                    objective.loss_is_fused());
  };
  if (weights.empty() && targets.weights.empty()) return loss(0, outputs.rows, scale);
  const auto weight_of = [&](std::int64_t position) {
    const float of_sample =
        targets.weights.empty() ? 1.0f : targets.weights[static_cast<std::size_t>(position)];
    return weights.empty() ? of_sample : of_sample * weights.of(targets, position);
  };
  double sum = 0;
  for (std::int64_t first = 0, end = 0; first < outputs.rows; first = end) {
    const float weight = weight_of(end++);
    while (end < outputs.rows && weight_of(end) == weight) ++end;
    sum += static_cast<double>(weight) * loss(first, end - first, scale * weight);
  }
  return sum;
}

/// 1 over the number of positions that count in the batch.
float scale_of(const Objective& objective, const Workspace& workspace, std::int64_t batch_rows) {
  if (!objective.mask_op())
    return 1.0f / static_cast<float>(batch_rows * objective.output_positions());
  const double counted = workspace.op(*objective.mask_op()).forward_sums[0];
  return counted > 0 ? 1.0f / static_cast<float>(counted) : 0.0f;
}

/// Which of the sums is that of penalties.
std::size_t penalty_sum(const Objective& objective) {
  return objective.loss_sums() - (objective.mask_op() ? 2 : 1);
}

}  // namespace

std::size_t loss_sum_count(const Objective& objective) {
  return objective.loss_sums();
}

double counted_positions(const Objective& objective, std::span<const double> sums,
                         std::int64_t rows) {
  return objective.mask_op() ? sums.back()
                             : static_cast<double>(rows * objective.output_positions());
}

double whole_loss_sum(const Objective& objective, std::span<const double> sums, std::int64_t rows) {
  const auto positions = static_cast<double>(rows * objective.output_positions());
  const double sum = objective.mask_op() ? mean_of(sums[0], sums.back()) * positions : sums[0];
  if (objective.penalty_ops().empty()) return sum;
  return sum + sums[penalty_sum(objective)] * static_cast<double>(objective.output_positions());
}

double mean_of(double sum, double number) {
  return number > 0 ? sum / number : 0;
}

std::span<const float> mask_of(const Objective& objective, const Workspace& workspace, Range rows) {
  if (!objective.mask_op()) return {};
  return workspace.matrix(workspace.op(*objective.mask_op()).y, rows).flat();
}

void add_penalties(const Objective& objective, const Workspace& workspace, Range block, Range rows,
                   std::span<double> sums) {
  for (const std::size_t op : objective.penalty_ops())
    for (const float penalty :
         workspace.matrix(workspace.op(op).y, block).rows_from(rows.first, rows.count()).flat())
      sums[penalty_sum(objective)] += static_cast<double>(penalty);
}

void loss_sums_of(const Objective& objective, Matrix outputs, const Targets& targets,
                  std::span<const float> mask, Matrix gradient, float scale, std::span<double> sums,
                  const ClassWeights& weights) {
  std::ranges::fill(sums, 0.0);
  const auto add = [&](std::int64_t first, std::int64_t number) {
    const Matrix some = outputs.rows_from(first, number);
    const Targets wanted = targets.slice(first, number);
    sums[0] +=
        weighted_loss(objective, some, wanted, gradient.rows_from(first, number), scale, weights);
    std::size_t first_sum = 1;
    for (const auto& metric : objective.metrics()) {
      metric->add(some, wanted, sums.subspan(first_sum, metric->sums()));
      first_sum += metric->sums();
    }
  };
  if (!objective.mask_op()) return add(0, outputs.rows);
  if (!gradient.empty()) std::ranges::fill(gradient.flat(), 0.0f);
  for_counted(mask, [&](std::int64_t first, std::int64_t number) {
    add(first, number);
    sums.back() += static_cast<double>(number);
  });
}

void LossSums::add_up(DistributedOptimizer& optimizer, const Targets& targets, const Block& block,
                      std::int64_t batch_rows) {
  const std::int64_t positions = objective_->output_positions();
  const std::int64_t columns = objective_->output_columns();
  const Workspace& workspace = optimizer.workspace();
  const float scale = scale_of(*objective_, workspace, batch_rows);
  const Range of_block{workspace.first_row() + block.rows.first,
                       workspace.first_row() + block.rows.last};
  const Matrix outputs = workspace.output(of_block).with_columns(columns);
  const Matrix gradient = workspace.output_gradient(of_block).with_columns(columns);
  const std::span<const float> mask = mask_of(*objective_, workspace, of_block);
  const Subtrees subtrees = optimizer.subtrees();
  for (std::size_t i = 0; i < block.subtrees; ++i) {
    const std::size_t subtree = block.first_subtree + i;
    const Range rows = block.pieces > 1 ? block.rows : subtrees.samples[subtree];
    if (block.piece == 0) tree_.begin(subtrees.grains(subtree));
    for (std::int64_t row = rows.first; row < rows.last; row += subtrees.grain) {
      const std::int64_t in_block = (row - block.rows.first) * positions;
      const std::int64_t count = std::min(subtrees.grain, rows.last - row) * positions;
      loss_sums_of(
          *objective_, outputs.rows_from(in_block, count), targets.slice(row * positions, count),
          mask.empty()
              ? mask
              : mask.subspan(static_cast<std::size_t>(in_block), static_cast<std::size_t>(count)),
          gradient.rows_from(in_block, count), scale, tree_.leaf(), weights_);
      add_penalties(
          *objective_, workspace, of_block,
          {row - block.rows.first, std::min(row + subtrees.grain, rows.last) - block.rows.first},
          tree_.leaf());
      tree_.push();
    }
    if (block.piece + 1 == block.pieces)
      std::ranges::copy(tree_.root(), optimizer.loss_sums(subtree).begin());
  }
}

}  // namespace lockstep
