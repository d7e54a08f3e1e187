#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/bucket.hpp"
#include "distributed/communicator.hpp"
#include "distributed/step_plan.hpp"
#include "distributed/tree_sum.hpp"
#include "io/keras_file.hpp"
#include "src/core/float_buffer.hpp"
#include "src/core/grain_tree.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// Makes the replicas one: adds up the gradients of all ranks by the tree of grains and updates the
/// parameters, with the same bits on every rank and for any number of ranks. It owns the memory of
/// the gradients (while it lives, the model's parameters point there) and the optimizer's slots.
///
/// One step, collective: begin_step(); forward and backward write node_statistics() and nodes(),
/// backward calls layer_done() for each layer; then finish().
///
/// How: each rank owns a slice of every bucket. All ranks send their nodes' parts of a slice to its
/// owner, who adds them in the tree's order and sends the sum to all; each rank then makes the
/// whole update. 2 (p - 1) / p times the gradients' bytes leave every rank, if it has one node.
class GradientSync {
 public:
  struct Options {
    std::int64_t bucket_floats = 1 << 20;
    /// Buckets leave during backward, which pays between hosts; on one host it does not
    /// (tests/benchmark).
    bool overlap = false;
    std::size_t statistics = 1;  ///< numbers that are added up beside the gradients
  };

  /// `plans`: all that steps will have. The arguments must outlive this object.
  GradientSync(Sequential& model, const Communicator& communicator, Options options,
               std::span<const StepPlan> plans);
  ~GradientSync();

  /// `plan` is one of the plans.
  void begin_step(const StepPlan& plan);
  /// Where this step's backward leaves the gradients.
  GradientNodes nodes() const;
  /// What this rank's rows of a node add to the statistics; to be filled before finish().
  std::span<double> node_statistics(std::size_t node);

  void layer_done(std::size_t layer);
  /// Returns the statistics summed over the batch when every parameter is updated.
  std::span<const double> finish();

  std::int64_t messages_sent() const { return messages_; }  ///< since construction
  std::size_t bucket_count() const { return buckets_.size(); }

  /// The slots of all parameters, for a checkpoint.
  OptimizerSlots gather_slots() const;
  void restore_slots(const OptimizerSlots& slots);
  std::span<const float> slot(std::size_t i) const { return slots_[i].span(); }
  std::size_t slot_count() const { return slots_.size(); }

 private:
  /// What a plan means for this rank.
  struct Step {
    const StepPlan* plan;
    std::vector<Range> node_rows;
    TreeSum sum;
  };

  Range slice(std::size_t bucket, int rank) const;
  std::span<float> node_floats(std::size_t node, Range floats);
  std::span<float> received_floats(std::size_t bucket, std::size_t node);
  std::span<double> statistics_of(int rank);
  void send_statistics();
  void add_up_statistics();
  void start(std::size_t bucket);
  void add_up(std::size_t bucket);
  void update(Range floats);

  Sequential& model_;
  const Communicator& communicator_;
  Options options_;
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
  std::int64_t messages_ = 0;
};

}  // namespace lockstep
