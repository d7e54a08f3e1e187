#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "distributed/ranks/communicator.hpp"
#include "distributed/update/step_plan.hpp"
#include "distributed/update/step_profile.hpp"
#include "io/keras/keras_file.hpp"
#include "src/core/grain_tree.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// Makes the replicas one: computes the gradients of the whole batch by the tree of grains and
/// updates the parameters, with the same bits on every rank, for any number of ranks and by every
/// strategy. It owns the memory that forward and backward work in, the gradients, and the
/// optimizer's slots.
///
/// One step, collective: begin_step(); forward and backward work on rows() of workspace() and write
/// node_statistics(), backward calls layer_done() for each layer; then finish().
class GradientSync {
 public:
  enum class Strategy {
    kSharded,   ///< each parameter is updated by one rank of the job (ShardedSync)
    kAllreduce  ///< every rank updates every parameter (AllreduceSync)
  };
  struct Options {
    std::int64_t bucket_floats = 1 << 20;  ///< gradients that travel together, at most
    std::size_t statistics = 1;            ///< numbers that are added up beside the gradients
    StepProfile* profile = nullptr;  ///< told of kGradients, kUpdate, kExchange; outlives the sync
  };
  /// What has left this rank in messages since construction.
  struct Traffic {
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
  };

  virtual ~GradientSync() = default;

  /// Between set_up() and hand_back() the model's parameters may lie in memory that ranks share.
  /// They must be equal on all ranks. Collective.
  virtual void set_up() {}
  virtual void hand_back() {}

  /// Fixes the optimizer's scalars of this step. `plan` is one of the plans.
  virtual void begin_step(const StepPlan& plan) = 0;
  virtual const Workspace& workspace() const = 0;
  /// What has to be in workspace().input() before forward: all columns of this rank's rows, the
  /// last entry, and what the gradients need of other rows.
  struct Input {
    Range batch_rows;  ///< of the global batch
    Range rows;        ///< of the workspace
    Range columns;
  };
  virtual std::span<const Input> inputs() const = 0;
  /// Where this rank's rows of the step lie in workspace(); none if it is idle.
  virtual Range rows() const = 0;
  /// The nodes that these rows make up, counted from the first.
  virtual GradientNodes nodes() const = 0;
  /// What this rank's rows of a node add to the statistics; to be filled before backward.
  virtual std::span<double> node_statistics(std::size_t node) = 0;
  /// As Sequential::LayerDone.
  virtual void layer_done(std::size_t layer) = 0;
  /// Returns the statistics summed over the batch when every parameter is updated.
  virtual std::span<const double> finish() = 0;

  /// That all replicas are equal and finite; otherwise Error (70) on every rank, naming what is
  /// not. `when` goes into the message: "after step 1200". Collective.
  virtual void check_replicas(const std::string& when) const = 0;

  /// The slots of all parameters on rank 0, for a checkpoint; empty elsewhere. Collective.
  virtual OptimizerSlots gather_slots() const = 0;
  /// Every rank passes all of them. Throws Error (65) if they do not fit.
  virtual void restore_slots(const OptimizerSlots& slots) = 0;
  /// Floats of optimizer state that this rank holds.
  virtual std::int64_t slot_floats() const = 0;

  Traffic traffic() const { return traffic_; }

 protected:
  void count(std::size_t bytes) {
    ++traffic_.messages;
    traffic_.bytes += static_cast<std::int64_t>(bytes);
  }

 private:
  Traffic traffic_;
};

/// `wanted`, or kAllreduce where ranks of a host cannot share memory; `why_not` then says so. The
/// references must outlive the result; `plans`: all that steps will have. Collective.
std::unique_ptr<GradientSync> make_gradient_sync(GradientSync::Strategy wanted, Sequential& model,
                                                 const Communicator& communicator,
                                                 const GradientSync::Options& options,
                                                 std::span<const StepPlan> plans,
                                                 std::string& why_not);

/// That these are as many slots of as many floats as the model's optimizer has; else Error (65).
void check_slots(const Sequential& model, const OptimizerSlots& slots);

}  // namespace lockstep
