#pragma once

#include <span>

#include "distributed/update/distributed_optimizer.hpp"
#include "src/core/grain_tree.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Loss and metrics are sums over rows until they are divided once: whoever adds up which rows, the
/// result is the same. `sums[0]` is the loss, the metrics follow: loss_sum_count() doubles.
std::size_t loss_sum_count(const Objective& objective);

/// Of one block of rows. outputs: (rows * positions, K), logits if the loss is fused. Unless it is
/// empty, `gradient` (of outputs' shape) becomes the gradient by the outputs, times `scale`.
void loss_sums_of(const Objective& objective, Matrix outputs, const Targets& targets,
                  Matrix gradient, float scale, std::span<double> sums);

/// Of a rank's rows: grain by grain, added by the tree.
class LossSums {
 public:
  explicit LossSums(const Objective& objective)
      : objective_(&objective), tree_(loss_sum_count(objective)) {}

  /// Of a block of the optimizer's rows; fills in the gradient by the outputs, times `scale`.
  /// `targets`: of all rows of the rank.
  void add_up(DistributedOptimizer& optimizer, const Targets& targets, const Block& block,
              float scale);

 private:
  const Objective* objective_;
  TreeStack tree_;
};

}  // namespace lockstep
