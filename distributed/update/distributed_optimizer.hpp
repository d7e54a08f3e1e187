#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/update/gradient_norms.hpp"
#include "distributed/update/requests.hpp"
#include "distributed/update/step_plan.hpp"
#include "distributed/update/step_profile.hpp"
#include "distributed/update/traffic.hpp"
#include "distributed/update/weight_constraints.hpp"
#include "io/keras/keras_file.hpp"
#include "src/core/float_buffer.hpp"
#include "src/core/grain_tree.hpp"
#include "src/graph/training_pass.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Makes the replicas one: computes the gradients of the whole batch, updates the parameters, and
/// leaves the same bits on every rank, for any number of ranks and by every strategy. It owns the
/// memory that the passes work in, the gradients, and the optimizer's slots.
///
/// The way of one gradient, here of one weight:
///
///  1. The global batch is cut into grains, a rank takes consecutive ones (StepPlan).
///  2. Forward and backward (src/graph/training_pass.hpp) leave, for each of the rank's rows, the
///     inputs of the weight's op and the gradients by its outputs in the workspace.
///  3. Within a grain their products are one chain of multiply-adds, row after row.
///  4. Grains are added by the tree (src/core/grain_tree.hpp); the sum over a subtree is a partial.
///     Steps 3 and 4 are one kernel, src/kernels/gemm.hpp, called by Op::gradient().
///  5. By rows (GradientWay): every rank computes the partials of its own rows, beside backward.
///     By owner: the weight's owner on each host computes them, over the rows of all ranks of its
///     host, so that within a host nothing is sent. choose_gradient_ways() and plan_gradients()
///     decide.
///  6. The owner adds the partials of its host's ranks (ShardedOptimizer::add_up_ranks) and of
///     other hosts (update) by the tree (TreeSum), then the regulariser's part, once.
///  7. Where gradients are clipped by a norm, owners wait here until it is known (GradientNorms).
///  8. Sharded: it runs Adam on the weight and publishes the result, in memory that ranks share or
///     by messages between hosts. Allreduce: it sends the sum, and every rank runs Adam.
///
/// Of a table of which a step's ids name few rows, only these rows have gradients and are updated;
/// others are caught up when they are named again, or when somebody reads the table (TableUpdates,
/// choose_tables()). No bit differs from an update of all rows in every step.
///
/// A network may have several objectives, each with an optimizer of this kind, whose steps are
/// taken in turn: make_distributed_optimizers(). Then all rows of tables are updated in every step.
///
/// One step, collective: begin_step(), fill in own_input() and other_inputs(), run(), finish().
class DistributedOptimizer {
 public:
  enum class Strategy {
    kSharded,   ///< each parameter is updated by one rank of the job (ShardedOptimizer)
    kAllreduce  ///< every rank updates every parameter (AllreduceOptimizer)
  };
  struct Options {
    std::int64_t bucket_floats = 1 << 20;  ///< gradients that travel together, at most
    std::size_t loss_sums = 1;             ///< numbers that are added up beside the gradients
    /// Grains that go through the network together, a power of two; 0: all; not set: as the cache
    /// likes it.
    std::optional<std::int64_t> block_grains = {};
    /// Whether rows of tables are updated when they are named; not set: where that pays.
    std::optional<bool> sparse_tables = {};
    /// Whose optimizer and slots these are; outlives the optimizer. Null: the model's own.
    Objective* objective = nullptr;
    /// Another optimizer of the model, which outlives this one, has the parameters in its memory.
    bool borrows_parameters = false;
    /// Told of all phases but kData and kOther; outlives the optimizer.
    StepProfile* profile = nullptr;
  };
  virtual ~DistributedOptimizer() = default;

  /// Between set_up() and hand_back() the model's parameters may lie in memory that ranks share.
  /// They must be equal on all ranks, and catch_up_all() comes before hand_back(). Collective.
  virtual void set_up() {}
  virtual void hand_back() {}

  /// Fixes the optimizer's scalars of this step; `plan` is the index of one of the plans.
  virtual void begin_step(std::size_t plan) = 0;
  virtual const Workspace& workspace() const = 0;
  /// What has to be in workspace().input() before forward.
  struct Input {
    Range batch_rows;  ///< of the global batch
    Range rows;        ///< of the workspace
    Range columns;
  };
  /// All columns of this rank's rows; no rows if it is idle.
  virtual Input own_input() const = 0;
  /// What this rank's gradients need of other ranks' rows.
  virtual std::span<const Input> other_inputs() const = 0;
  /// The subtrees that these rows make up, counted from the first.
  virtual Subtrees subtrees() const = 0;
  /// What this rank's rows of a subtree add to the loss sums; to be filled by the loss.
  virtual std::span<double> loss_sums(std::size_t subtree) = 0;
  /// Forward, loss and backward of this rank's rows, with the gradients that it computes of them.
  void run(const Pass& pass, const TrainingPass::LossOfBlock& loss);
  /// Returns the loss sums summed over the batch when every parameter is updated.
  virtual std::span<const double> finish() = 0;

  /// What this rank asks of all ranks: set bits. They travel with the sums of the next run(), from
  /// ranks without rows, too.
  void request(Requests requests) { requested_ = requests; }
  /// After finish(): what any rank had requested before run(); the same on all.
  Requests requests() const { return requests_; }

  /// That all replicas are equal and finite; otherwise Error (70) on every rank, naming what is
  /// not. `when` goes into the message: "after step 1200". Rows of tables are compared as they
  /// stand: everywhere behind by the same steps. Collective.
  virtual void check_replicas(const std::string& when) const = 0;

  /// Between steps: brings all weights to where the steps have them, before anybody reads them but
  /// run(). After set_up() and gather_slots() that is done. Collective.
  virtual void catch_up_weights() = 0;
  /// The optimizer's slots, too: before hand_back().
  virtual void catch_up_all() = 0;

  /// The slots of all parameters on rank 0, for a checkpoint; empty elsewhere. Collective.
  virtual OptimizerSlots gather_slots() = 0;
  /// Every rank passes all of them. Throws Error (65) if they do not fit.
  virtual void restore_slots(const OptimizerSlots& slots) = 0;
  /// Floats of optimizer state that this rank holds.
  virtual std::int64_t slot_floats() const = 0;

  /// What has left this rank in messages since construction.
  const Traffic& traffic() const { return traffic_; }

 protected:
  DistributedOptimizer(Network& model, const Options& options)
      : model_(model),
        objective_(options.objective ? *options.objective : model.objective()),
        options_(options),
        norms_(model, objective_),
        constraints_(model, objective_) {}
  /// When workspace and gradients are planned: `most_grains` of a host.
  void plan_passes(const Workspace& workspace, const GradientPlan& gradients,
                   std::int64_t block_grains, std::int64_t most_grains);
  virtual TrainingPass::Partials partials() = 0;
  virtual BatchSums& batch_sums() = 0;
  /// Of the ranks that share the parameters, the one that writes those which are state.
  virtual bool writes_state() const = 0;
  /// Before forward, when this rank's inputs are in place.
  virtual void catch_up_tables() = 0;
  /// Backward is through with op i and all later ones.
  virtual void op_done(std::size_t op) = 0;

  Network& model_;
  Objective& objective_;
  Options options_;
  GradientNorms norms_;
  WeightConstraints constraints_;
  Requests requested_ = 0;  ///< by this rank
  Requests requests_ = 0;   ///< by any rank, when the loss sums are known
  std::optional<TrainingPass> passes_;
  Traffic traffic_;
};

/// Grains of a block on a rank that has at most so many; and the rows that this is at most.
std::int64_t block_grains(const Network& model, const DistributedOptimizer::Options& options,
                          std::int64_t grain_rows, std::int64_t most_grains);
std::int64_t block_rows(std::int64_t block_grains, std::int64_t grain_rows, std::int64_t own_rows);

/// `wanted`, or kAllreduce where ranks of a host cannot share memory; `why_not` then says so. The
/// references must outlive the result; `plans`: all that steps will have. Collective.
std::unique_ptr<DistributedOptimizer> make_distributed_optimizer(
    DistributedOptimizer::Strategy wanted, Network& model, const Communicator& communicator,
    const DistributedOptimizer::Options& options, std::span<const StepPlan> plans,
    std::string& why_not);

/// One for each of several objectives of the network, all of one strategy, with their own loss
/// sums. They are set up in their order, and destroyed, or hand back, in the opposite one.
/// Collective.
std::vector<std::unique_ptr<DistributedOptimizer>> make_distributed_optimizers(
    DistributedOptimizer::Strategy wanted, Network& model, std::span<Objective* const> objectives,
    const Communicator& communicator, const DistributedOptimizer::Options& options,
    std::span<const StepPlan> plans, std::string& why_not);

/// What an optimizer with these options trains.
const Objective& objective_of(const Network& model, const DistributedOptimizer::Options& options);

/// So many floats of a slot, as before the first step.
FloatBuffer fresh_slot(const Optimizer& optimizer, std::size_t slot, std::int64_t floats);

/// That these are as many slots of as many floats as the objective's optimizer has; else Error
/// (65).
void check_slots(const Network& model, const Objective& objective, const OptimizerSlots& slots);

}  // namespace lockstep
