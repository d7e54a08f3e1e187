#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/update/bucket.hpp"
#include "distributed/update/gradient_sync.hpp"
#include "distributed/update/tree_sum.hpp"
#include "src/core/float_buffer.hpp"

namespace lockstep {

/// The plain form: gradients are exchanged by messages, each rank then makes the whole update.
///
/// Each rank owns a slice of every bucket. All ranks send their nodes' parts of a slice to its
/// owner, who adds them in the tree's order and sends the sum to all. 2 (p - 1) / p times the
/// gradients' bytes leave every rank, if it has one node.
class AllreduceSync final : public GradientSync {
 public:
  /// Buckets leave during backward where ranks are on several hosts; on one host it does not pay
  /// (tests/benchmark). Collective.
  AllreduceSync(Sequential& model, const Communicator& communicator, Options options,
                std::span<const StepPlan> plans);

  void begin_step(const StepPlan& plan) override;
  const Workspace& workspace() const override { return workspace_; }
  std::span<const Input> inputs() const override { return {&step_->input, 1}; }
  Range rows() const override { return step_->input.rows; }
  GradientNodes nodes() const override;
  std::span<double> node_statistics(std::size_t node) override;
  void layer_done(std::size_t layer) override;
  std::span<const double> finish() override;

  void check_replicas(const std::string& when) const override;
  OptimizerSlots gather_slots() const override;
  void restore_slots(const OptimizerSlots& slots) override;
  std::int64_t slot_floats() const override;

 private:
  /// What a plan means for this rank.
  struct Step {
    const StepPlan* plan;
    Input input;
    std::vector<Range> node_rows;
    TreeSum sum;
  };

  Range slice(std::size_t bucket, int rank) const;
  std::span<float> node_floats(std::size_t node, Range floats);
  std::span<double> statistics_of(int rank);
  void send_statistics();
  void add_up_statistics();
  void compute(Range floats);
  void start(std::size_t bucket);
  void add_up(std::size_t bucket);
  void update(Range floats);

  Sequential& model_;
  const Communicator& communicator_;
  Options options_;
  bool overlap_;
  Workspace workspace_;  ///< of this rank's rows
  std::vector<Bucket> buckets_;
  std::vector<Step> steps_;
  Step* step_ = nullptr;  ///< the one under way

  std::int64_t stride_;                    ///< floats from one node's gradients to the next one's
  FloatBuffer gradients_;                  ///< of this rank's nodes
  FloatBuffer received_;                   ///< other ranks' nodes of this rank's slices
  std::vector<std::int64_t> received_at_;  ///< where a bucket's begin
  std::vector<double> statistics_;         ///< of all ranks' nodes, node by node
  std::vector<double> totals_;
  Messages statistics_messages_;
  std::vector<const float*> addends_;
  std::vector<FloatBuffer> slots_;
  std::vector<Messages> messages_of_;  ///< of each bucket
  std::size_t started_ = 0;            ///< buckets of this step that are under way
};

}  // namespace lockstep
