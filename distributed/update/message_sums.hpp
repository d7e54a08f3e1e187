#pragma once

#include <span>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/ranks/messages.hpp"
#include "distributed/update/bucket.hpp"
#include "distributed/update/step_plan.hpp"
#include "distributed/update/traffic.hpp"
#include "distributed/update/tree_sum.hpp"
#include "src/graph/pass.hpp"

namespace lockstep {

/// Adds up doubles of all ranks' subtrees by messages of every rank to every other.
class MessageSums final : public BatchSums {
 public:
  /// `most_sums`: of all ranks' subtrees together. The references must outlive this object; plan
  /// and sum those of begin_step() the step.
  MessageSums(const Communicator& communicator, int tag, std::size_t most_sums, Traffic& traffic);

  void begin_step(const StepPlan& plan, const TreeSum& sum);
  /// Of this rank's subtrees, `width` doubles each.
  std::span<double> of_subtree(std::size_t subtree, std::size_t width) override;
  void add_up(std::span<double> totals) override;
  /// In two parts: totals.size() must be the width. `words`: one of each rank, which travel along.
  void send(std::size_t width, std::span<double> words = {});
  void receive(std::span<double> totals);

 private:
  std::span<double> of_rank(int rank, std::size_t width);

  const Communicator& communicator_;
  int tag_;
  Traffic& traffic_;
  const StepPlan* plan_ = nullptr;
  const TreeSum* sum_ = nullptr;
  std::vector<double> sums_;  ///< subtree by subtree
  Messages messages_;
};

}  // namespace lockstep
