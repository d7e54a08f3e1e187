#pragma once

#include <span>

#include "src/core/grain_tree.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// Loss and metrics are sums over rows until they are divided once: whoever adds up which rows, the
/// result is the same. `sums[0]` is the loss, the metrics follow: loss_sum_count() doubles.
std::size_t loss_sum_count(const Sequential& model);

/// Of one block of rows. outputs: (rows * positions, K), logits if the loss is fused. Unless it is
/// empty, `gradient` (of outputs' shape) becomes the gradient by the outputs, times `scale`.
void loss_sums_of(const Sequential& model, Matrix outputs, const Targets& targets, Matrix gradient,
                  float scale, std::span<double> sums);

/// Of the rows of subtrees: grain by grain, added by the tree.
class LossSums {
 public:
  explicit LossSums(const Sequential& model) : model_(&model), tree_(loss_sum_count(model)) {}

  /// Of subtree i. outputs, gradient: of all rows of `subtrees`.
  void add_up(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
              const Subtrees& subtrees, std::size_t subtree, std::span<double> sums);

 private:
  const Sequential* model_;
  TreeStack tree_;
};

}  // namespace lockstep
