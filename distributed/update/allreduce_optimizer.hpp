#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/ranks/messages.hpp"
#include "distributed/update/allreduce_layout.hpp"
#include "distributed/update/bucket.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/message_sums.hpp"
#include "distributed/update/table_updates.hpp"
#include "distributed/update/tree_sum.hpp"
#include "src/core/float_buffer.hpp"

namespace lockstep {

/// The plain form: gradients are exchanged by messages, each rank then makes the whole update.
///
/// Each rank owns a shard of every bucket. All ranks send their partials of a shard to its
/// owner, who adds them in the tree's order and sends the sum to all. 2 (p - 1) / p times the
/// gradients' bytes leave every rank, if it has one partial. Of tables, every rank sends the rows
/// that its ids name to all (TableUpdates).
class AllreduceOptimizer final : public DistributedOptimizer {
 public:
  /// Buckets leave during backward where ranks are on several hosts; on one host it does not pay
  /// (tests/benchmark). Collective.
  AllreduceOptimizer(Network& model, const Communicator& communicator, Options options,
                     std::span<const StepPlan> plans);

  void begin_step(std::size_t plan) override;
  const Workspace& workspace() const override { return workspace_; }
  Input own_input() const override { return step_->input; }
  std::span<const Input> other_inputs() const override { return {}; }
  Subtrees subtrees() const override;
  std::span<double> loss_sums(std::size_t subtree) override {
    return loss_sums_.of_subtree(subtree, options_.loss_sums);
  }
  std::span<const double> finish() override;

  void set_up() override { tables_->rows().begin(); }
  void check_replicas(const std::string& when) const override;
  void catch_up_weights() override { tables_->rows().catch_up_values(); }
  void catch_up_all() override { tables_->rows().catch_up_all(); }
  OptimizerSlots gather_slots() override;
  void restore_slots(const OptimizerSlots& slots) override;
  std::int64_t slot_floats() const override;

 protected:
  TrainingPass::Partials partials() override { return {gradients_.span().data(), stride_}; }
  void catch_up_tables() override;
  void op_done(std::size_t op) override;
  BatchSums& batch_sums() override { return batch_sums_; }
  bool writes_state() const override { return true; }

 private:
  /// What a plan means for this rank.
  struct Step {
    const StepPlan* plan;
    Input input;
    std::vector<Range> subtree_rows;
    TreeSum sum;
  };

  bool is_of_tables(std::size_t bucket) const {
    return tables_->any() && bucket + 1 == buckets_.size();
  }
  Range shard(std::size_t bucket, int rank) const;
  std::span<float> partial_of(std::size_t subtree, Range floats);
  void start(std::size_t bucket);
  void add_up(std::size_t bucket);
  void complete_gradients(Range floats);
  UpdateSpan update_span(Range floats);
  void update(Range floats);

  const Communicator& communicator_;
  bool overlap_;
  AllreduceLayout layout_;
  const std::vector<Bucket>& buckets_;  ///< of the layout
  Workspace workspace_;                 ///< of this rank's rows
  std::vector<Step> steps_;
  Step* step_ = nullptr;  ///< the one under way
  HostMap ranks_;         ///< as hosts of one rank
  std::vector<ShardedStep> table_steps_;

  std::int64_t stride_;    ///< floats from one partial to the next
  FloatBuffer gradients_;  ///< this rank's partials
  FloatBuffer received_;   ///< other ranks' partials of this rank's shards
  MessageSums loss_sums_, batch_sums_;
  std::vector<double> totals_;       ///< of the losses
  std::vector<double> requests_of_;  ///< by rank
  std::vector<const float*> addends_;
  std::vector<FloatBuffer> slots_;
  std::optional<TableUpdates> tables_;
  std::vector<Messages> messages_of_;  ///< of each bucket
  std::size_t started_ = 0;            ///< buckets of this step that are under way
};

}  // namespace lockstep
