#pragma once

#include <span>
#include <utility>

#include "distributed/training/class_weights.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "src/core/grain_tree.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Loss and metrics are sums over rows until their results are taken once: whoever adds up which
/// rows, they are the same. `sums[0]` is the loss, those of the metrics follow, then penalties of
/// activities, if there are, and behind a mask the number of positions that count:
/// loss_sum_count() doubles.
std::size_t loss_sum_count(const Objective& objective);
/// What such sums of so many rows are divided by: as Keras, by the positions that count. 0 if none
/// does; then means are 0.
double counted_positions(const Objective& objective, std::span<const double> sums,
                         std::int64_t rows);
/// The sum of losses as if all positions of the rows had the mean of those that count, and the
/// batch's penalties: a batch counts by its rows for an epoch's loss, as in Keras.
double whole_loss_sum(const Objective& objective, std::span<const double> sums, std::int64_t rows);
/// sum / number, or 0 of none.
double mean_of(double sum, double number);
/// result(name, value) of each metric; 0 if no position counts.
template <class Result>
void metric_results(const Objective& objective, std::span<const double> sums, double counted,
                    const Result& result) {
  std::size_t first = 1;
  for (const auto& metric : objective.metrics()) {
    const std::span<const double> own = sums.subspan(first, metric->sums());
    result(metric->name(), counted > 0 ? metric->result(own, counted) : 0.0);
    first += metric->sums();
  }
}

/// The output's mask of these rows, a block or all, behind forward: (rows * positions); empty if it
/// has none.
std::span<const float> mask_of(const Objective& objective, const Workspace& workspace, Range rows);

/// Adds to `sums` the penalties of activities, behind forward: of `rows`, counted from the first of
/// `block`, which may be all.
void add_penalties(const Objective& objective, const Workspace& workspace, Range block, Range rows,
                   std::span<double> sums);

/// Of one block of rows. outputs: (rows * positions, K), logits if the loss is fused. Unless it is
/// empty, `gradient` (of outputs' shape) becomes the gradient by the outputs, times `scale`; 0
/// where `mask` (rows * positions, or empty) is 0. Positions that count are taken as they stand
/// together. The loss counts by `weights`.
void loss_sums_of(const Objective& objective, Matrix outputs, const Targets& targets,
                  std::span<const float> mask, Matrix gradient, float scale, std::span<double> sums,
                  const ClassWeights& weights = {});

/// Of a rank's rows: grain by grain, added by the tree.
class LossSums {
 public:
  explicit LossSums(const Objective& objective, ClassWeights weights = {})
      : objective_(&objective), weights_(std::move(weights)), tree_(loss_sum_count(objective)) {}

  /// Of a block of the optimizer's rows; fills in the gradient of the mean over the batch of
  /// `batch_rows` by the outputs. `targets`: of all rows of the rank.
  void add_up(DistributedOptimizer& optimizer, const Targets& targets, const Block& block,
              std::int64_t batch_rows);

 private:
  const Objective* objective_;
  ClassWeights weights_;
  TreeStack tree_;
};

}  // namespace lockstep
