#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "distributed/ranks/messages.hpp"
#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/host_map.hpp"
#include "distributed/update/host_steps.hpp"
#include "distributed/update/host_window.hpp"
#include "distributed/update/sharded_batch_sums.hpp"
#include "distributed/update/sharded_layout.hpp"
#include "distributed/update/sharded_slots.hpp"
#include "distributed/update/sum_exchange.hpp"
#include "distributed/update/table_updates.hpp"
#include "src/core/float_buffer.hpp"
#include "src/core/progress_hook.hpp"

namespace lockstep {

/// The fast form: each parameter is updated once in the whole job, by the rank that owns it.
///
/// The ranks of a host share one window of memory with the parameters and with what they read of
/// each other. Of an op whose gradients are computed by their owners that is, for the rows of all,
/// its input and the gradient by its output, which are smaller than its parameters: so no gradient
/// is read by another rank of the host. Of an op whose gradients are computed by rows it is every
/// rank's partials. choose_gradient_ways() decides.
///
/// A bucket's way: when all ranks of the host are through with its ops (HostSteps), each owner of a
/// shard (HostMap) makes the shard's partials, one for each subtree that the host's rows make up:
/// it computes them, or adds up its host's ranks'. It sends those of other hosts' pieces to their
/// owners; the owner of a piece adds everything in the tree's order, updates the piece's parameters
/// in place, and sends them to its peers, who write them into their host's window. Then the bucket
/// is published. Within one host no message is sent; between hosts buckets travel while backward
/// goes on, driven by op_done() and during long products.
///
/// Gradients exist once on a host, optimizer slots once in the job, at the owners. Tables have
/// their slots once on every host, and are the last bucket (TableUpdates).
class ShardedOptimizer final : public DistributedOptimizer {
 public:
  /// `host`: the ranks of `communicator` that share memory with this one, in the same order.
  /// Collective.
  ShardedOptimizer(Network& model, const Communicator& communicator, Communicator host,
                   Options options, std::span<const StepPlan> plans);
  ~ShardedOptimizer() override { hand_back(); }

  /// Whether this host's ranks could get a window; if not on every host, nothing else may be
  /// called.
  bool shares_memory() const { return window_.shared(); }

  void set_up() override;
  void hand_back() override;

  void begin_step(std::size_t plan) override;
  const Workspace& workspace() const override { return *workspace_; }
  Input own_input() const override;
  std::span<const Input> other_inputs() const override {
    return layout_.other_inputs[static_cast<std::size_t>(step_ - layout_.steps.data())];
  }
  Subtrees subtrees() const override;
  std::span<double> loss_sums(std::size_t subtree) override;
  std::span<const double> finish() override;

  void check_replicas(const std::string& when) const override;
  void catch_up_weights() override;
  void catch_up_all() override;
  OptimizerSlots gather_slots() override;
  void restore_slots(const OptimizerSlots& slots) override { slots_.restore(slots); }
  std::int64_t slot_floats() const override { return slots_.floats(); }

 protected:
  TrainingPass::Partials partials() override;
  void catch_up_tables() override;
  void op_done(std::size_t op) override;
  BatchSums& batch_sums() override { return *batch_sums_; }
  bool writes_state() const override { return host_.is_root(); }

 private:
  enum class Stage {
    kFilling,     ///< until all ranks of the host have arrived
    kCollecting,  ///< until the other hosts' partials are here
    kComplete,    ///< until norms are known by which gradients are clipped
    kReturning,   ///< until the new parameters are on all hosts
    kDone
  };
  struct BucketState {
    explicit BucketState(const Communicator& communicator) : messages(communicator) {}
    Stage stage = Stage::kFilling;
    Messages messages;
  };

  bool is_of_tables(std::size_t bucket) const {
    return tables_ && tables_->any() && bucket + 1 == buckets_.size();
  }
  bool advance();
  void advance_amid_product();
  bool advance_loss_sums();
  void compute(std::size_t bucket);
  void add_up_ranks(const Shard& shard);
  void collect(std::size_t bucket);
  void complete_gradients(std::size_t bucket);
  UpdateSpan update_span(const Shard& shard);
  void update(std::size_t bucket);
  void send_back(std::size_t bucket);
  void constrain_weights();

  std::span<float> gradients_of(const Shard& shard, std::size_t subtree, Range floats);

  const Communicator& communicator_;
  Communicator host_;
  HostMap map_;
  int self_;  ///< this rank
  int my_host_;
  ShardedLayout layout_;
  const std::vector<Bucket>& buckets_;  ///< of the layout
  ShardedStep* step_ = nullptr;         ///< the one under way
  HostWindow window_;
  std::optional<Workspace> workspace_;

  std::unique_ptr<HostSteps> flags_;
  Backoff backoff_;
  FloatBuffer gradients_;  ///< of the shards that this rank owns, partial by partial
  FloatBuffer received_;
  std::vector<BucketState> states_;  // messages to and from these buffers end first
  std::vector<const float*> addends_;
  ShardedSlots slots_;
  std::optional<TableUpdates> tables_;
  SumExchange loss_sums_;
  std::vector<double> loss_totals_;
  bool losses_known_ = false;
  bool norms_known_ = true;  ///< or not wanted
  std::optional<ShardedBatchSums> batch_sums_;
  bool computing_ = false;                ///< no gradients may be computed meanwhile
  std::size_t arrived_ = 0;               ///< buckets of this step that this rank is through with
  std::size_t published_ = 0;             ///< and published
  std::optional<ProgressHook> progress_;  ///< while buckets travel during backward
  bool set_up_ = false;
};

}  // namespace lockstep
