#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "distributed/gradient_sync.hpp"
#include "distributed/host_map.hpp"
#include "distributed/host_memory.hpp"
#include "distributed/host_steps.hpp"
#include "distributed/sharded_step.hpp"
#include "src/core/float_buffer.hpp"
#include "src/core/meanwhile.hpp"

namespace lockstep {

/// The fast form: each parameter is updated once in the whole job, by the rank that owns it.
///
/// The ranks of a host share one window of memory with the parameters, and with the gradients of
/// each of them. A bucket's way: when all ranks of the host have arrived at it (HostSteps), each
/// handler of a slice (HostMap) adds up what the host has of the other hosts' pieces and sends it
/// to their owners; the owner of a piece reads its own host's gradients where they lie, adds
/// everything in the tree's order, updates the piece's parameters in place, and sends them to its
/// peers, who write them into their host's window. Then the bucket is published. Within one host no
/// message is sent; between hosts buckets travel while backward goes on, driven by layer_done() and
/// during long products.
///
/// Optimizer slots exist once in the job, at the owners.
class ShardedSync final : public GradientSync {
 public:
  /// `host`: the ranks of `communicator` that share memory with this one, in the same order.
  /// Collective.
  ShardedSync(Sequential& model, const Communicator& communicator, Communicator host,
              Options options, std::span<const StepPlan> plans);
  ~ShardedSync() override;

  /// Whether this host's ranks could get a window; if not on every host, nothing else may be
  /// called.
  bool shares_memory() const { return host_.size() == 1 || window_->shared(); }

  void set_up() override;
  void hand_back() override;

  void begin_step(const StepPlan& plan) override;
  GradientNodes nodes() const override;
  std::span<double> node_statistics(std::size_t node) override;
  void layer_done(std::size_t layer) override;
  std::span<const double> finish() override;

  void check_replicas(const std::string& when) const override;
  OptimizerSlots gather_slots() const override;
  void restore_slots(const OptimizerSlots& slots) override;
  std::int64_t slot_floats() const override;

 private:
  /// A piece of a bucket that this rank owns.
  struct Piece {
    int slice;
    Range floats;
    std::int64_t slots_at;     ///< its place in this rank's slots
    std::int64_t received_at;  ///< of the other hosts' sums
  };
  enum class Stage {
    kFilling,     ///< until all ranks of the host have arrived
    kCollecting,  ///< until the other hosts' sums are here
    kReturning,   ///< until the new parameters are on all hosts
    kDone
  };
  struct BucketState {
    explicit BucketState(const Communicator& communicator) : messages(communicator) {}
    Stage stage = Stage::kFilling;
    std::vector<Piece> pieces;
    std::int64_t sending_at = 0;  ///< of this host's sums for other hosts
    Messages messages;
  };

  void plan_window(std::span<const StepPlan> plans);
  void plan_pieces();
  bool advance();
  bool advance_statistics();
  std::span<const float> sum_of_host(std::size_t output, Range floats, std::span<float> memory);
  void collect(std::size_t bucket);
  void update(std::size_t bucket);
  void send_back(std::size_t bucket);

  std::span<float> gradients_of(int rank, std::size_t node, Range floats) const;
  std::span<double> statistics_of(int rank) const;
  std::vector<Range> owned_by(int rank) const;

  Sequential& model_;
  const Communicator& communicator_;
  Communicator host_;
  Options options_;
  HostMap map_;
  int self_;  ///< this rank
  int my_host_;
  std::vector<int> my_slices_;
  std::vector<Bucket> buckets_;
  std::vector<ShardedStep> steps_;
  ShardedStep* step_ = nullptr;  ///< the one under way

  // The window: flags, statistics, parameters, gradients of each rank of the host.
  std::unique_ptr<HostMemory> window_;
  FloatBuffer alone_;  ///< instead of a window where a host has one rank
  std::span<std::byte> memory_;
  std::int64_t stride_;            ///< floats of one node's gradients
  std::size_t statistics_at_ = 0;  ///< bytes
  std::size_t parameters_at_ = 0;
  std::vector<std::size_t> gradients_at_;  ///< of each rank of the host, by its place

  std::unique_ptr<HostSteps> flags_;
  Backoff backoff_;
  FloatBuffer received_;
  FloatBuffer sending_;
  std::vector<BucketState> states_;  // messages to and from these buffers end first
  std::vector<const float*> addends_;
  std::vector<FloatBuffer> slots_;  ///< of this rank's pieces, one after the other
  std::vector<double> totals_;
  bool totals_known_ = false;
  bool statistics_sent_ = false;
  Messages statistics_messages_;
  std::size_t arrived_ = 0;             ///< buckets of this step that this rank has completed
  std::size_t published_ = 0;           ///< and published
  std::optional<Meanwhile> meanwhile_;  ///< while buckets travel during backward
  bool set_up_ = false;
};

}  // namespace lockstep
