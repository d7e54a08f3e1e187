#pragma once

#include <vector>

#include "distributed/update/distributed_optimizer.hpp"
#include "tests/distributed/update/leaf_network.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep::test {

inline std::vector<DistributedOptimizer::Input> all_inputs(const DistributedOptimizer& optimizer) {
  const auto others = optimizer.other_inputs();
  std::vector<DistributedOptimizer::Input> inputs(others.begin(), others.end());
  inputs.push_back(optimizer.own_input());
  return inputs;
}

/// One step as the trainer makes it, of a leaf_network, by plans[which].
inline std::vector<double> make_step(DistributedOptimizer& optimizer,
                                     std::span<const StepPlan> plans, std::size_t which,
                                     std::uint32_t step) {
  const StepPlan& plan = plans[which];
  const int rank = world().rank();
  optimizer.begin_step(which);
  for (const DistributedOptimizer::Input& input : all_inputs(optimizer)) {
    const Matrix x = optimizer.workspace().input(input.rows);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      x.row(i)[0] = static_cast<float>(step);
      x.row(i)[1] = static_cast<float>((input.batch_rows.first + i) / plan.grain());
    }
  }
  optimizer.run({.training = true}, [&](const Block& block) {
    for (std::size_t i = 0; i < block.subtrees; ++i) {
      const std::size_t subtree = block.first_subtree + i;
      const std::span<double> loss_sums = optimizer.loss_sums(subtree);
      for (std::size_t k = 0; k < loss_sums.size(); ++k)
        loss_sums[k] = tree_value<double>(step, plan.subtrees_of(rank)[subtree], k);
    }
  });
  const std::span<const double> totals = optimizer.finish();
  return {totals.begin(), totals.end()};
}

}  // namespace lockstep::test
