#include "distributed/update/distributed_optimizer.hpp"

#include <algorithm>

#include "distributed/ranks/agreement.hpp"
#include "distributed/update/allreduce_optimizer.hpp"
#include "distributed/update/sharded_optimizer.hpp"
#include "src/core/error.hpp"
#include "src/core/memory.hpp"
#include "src/graph/block_size.hpp"

namespace lockstep {

namespace {

using Strategy = DistributedOptimizer::Strategy;
using Options = DistributedOptimizer::Options;

/// Null where ranks of a host cannot share memory.
std::unique_ptr<DistributedOptimizer> make_sharded(Network& model, const Communicator& communicator,
                                                   const Options& options,
                                                   std::span<const StepPlan> plans) {
  Communicator host = communicator.on_this_host();
  // It allocates before, between and after it meets other ranks: what one rank lacks is told to
  // the waiting ones by never_alone(), not by an agreement that they never reach.
  auto sharded = allocating("workspace, gradients and optimizer state of --sync sharded", [&] {
    return std::make_unique<ShardedOptimizer>(model, communicator, std::move(host), options, plans);
  });
  const bool shared = communicator.all_min(sharded->shares_memory() ? 1 : 0) == 1;
  if (!shared) sharded.reset();
  return sharded;
}

std::unique_ptr<DistributedOptimizer> make_allreduce(Network& model,
                                                     const Communicator& communicator,
                                                     const Options& options,
                                                     std::span<const StepPlan> plans) {
  std::unique_ptr<AllreduceOptimizer> plain;
  together(communicator, [&] {
    plain = allocating("workspace, gradients and optimizer state of --sync allreduce", [&] {
      return std::make_unique<AllreduceOptimizer>(model, communicator, options, plans);
    });
  });
  return plain;
}

constexpr const char* kCannotShare =
    "the ranks of a host could not share memory (is /dev/shm large enough? what do ulimit -v "
    "and -f say?)";

}  // namespace

std::unique_ptr<DistributedOptimizer> make_distributed_optimizer(Strategy wanted, Network& model,
                                                                 const Communicator& communicator,
                                                                 const Options& options,
                                                                 std::span<const StepPlan> plans,
                                                                 std::string& why_not) {
  if (wanted == Strategy::kSharded) {
    if (auto sharded = make_sharded(model, communicator, options, plans)) return sharded;
    why_not = kCannotShare;
  }
  return make_allreduce(model, communicator, options, plans);
}

std::vector<std::unique_ptr<DistributedOptimizer>> make_distributed_optimizers(
    Strategy wanted, Network& model, std::span<Objective* const> objectives,
    const Communicator& communicator, const Options& options, std::span<const StepPlan> plans,
    std::string& why_not) {
  std::vector<std::unique_ptr<DistributedOptimizer>> optimizers;
  const auto make_all = [&](const auto& make) {
    for (Objective* objective : objectives) {
      Options its = options;
      its.objective = objective;
      its.loss_sums = objective->loss_sums();
      its.borrows_parameters = !optimizers.empty();
      its.sparse_tables = false;  // others read the same tables between this one's steps
      auto optimizer = make(model, communicator, its, plans);
      if (!optimizer) return false;
      optimizers.push_back(std::move(optimizer));
    }
    return true;
  };
  if (wanted == Strategy::kSharded) {
    if (make_all(make_sharded)) return optimizers;
    why_not = kCannotShare;
    while (!optimizers.empty()) optimizers.pop_back();
  }
  make_all(make_allreduce);
  return optimizers;
}

const Objective& objective_of(const Network& model, const Options& options) {
  return options.objective ? *options.objective : model.objective();
}

std::int64_t block_grains(const Network& model, const DistributedOptimizer::Options& options,
                          std::int64_t grain_rows, std::int64_t most_grains) {
  if (options.block_grains) return *options.block_grains;
  const Objective& objective = objective_of(model, options);
  return choose_block_grains(model.graph(), objective.aim(), objective.ops(), grain_rows,
                             most_grains, second_level_cache_bytes());
}

std::int64_t block_rows(std::int64_t block_grains, std::int64_t grain_rows, std::int64_t own_rows) {
  // A number of grains may come from a user.
  if (block_grains == 0 || block_grains > own_rows) return own_rows;
  return std::min(block_grains * grain_rows, own_rows);
}

void DistributedOptimizer::plan_passes(const Workspace& workspace, const GradientPlan& gradients,
                                       std::int64_t block_grains, std::int64_t most_grains) {
  passes_.emplace(model_.graph(), workspace, gradients, block_grains, most_grains);
  if (options_.profile == nullptr) return;
  passes_->set_observer([profile = options_.profile](TrainingPass::Activity activity) {
    using enum TrainingPass::Activity;
    profile->enter(activity == kForward    ? Phase::kForward
                   : activity == kLoss     ? Phase::kLoss
                   : activity == kBackward ? Phase::kBackward
                                           : Phase::kGradients);
  });
}

namespace {

/// Waiting for other ranks' sums in the middle of a pass is communication.
class BatchSumsInPhase final : public BatchSums {
 public:
  BatchSumsInPhase(BatchSums& sums, StepProfile* profile) : sums_(sums), profile_(profile) {}
  std::span<double> of_subtree(std::size_t subtree, std::size_t width) override {
    return sums_.of_subtree(subtree, width);
  }
  void add_up(std::span<double> totals) override {
    const InPhase phase(profile_, Phase::kExchange);
    sums_.add_up(totals);
  }

 private:
  BatchSums& sums_;
  StepProfile* profile_;
};

}  // namespace

void DistributedOptimizer::run(const Pass& wanted, const TrainingPass::LossOfBlock& loss) {
  Pass pass = wanted;
  pass.numerics = model_.numerics();
  BatchSumsInPhase sums(batch_sums(), options_.profile);
  pass.batch_sums = &sums;
  pass.writes_state = writes_state();
  catch_up_tables();
  passes_->run(pass, subtrees(), partials(), loss, [this](std::size_t op) { op_done(op); });
}

FloatBuffer fresh_slot(const Optimizer& optimizer, std::size_t slot, std::int64_t floats) {
  FloatBuffer buffer(floats);
  if (const float start = optimizer.slot_start(slot); start != 0)
    std::ranges::fill(buffer.span(), start);
  return buffer;
}

void check_slots(const Network& model, const Objective& objective, const OptimizerSlots& slots) {
  const std::size_t count = objective.optimizer().slot_names().size();
  const auto floats = static_cast<std::size_t>(model.arena().trainable_size());
  check(slots.size() == count, ExitCode::kBadData,
        "[optimizer] expected {} optimizer slots, got {}", count, slots.size());
  for (const auto& slot : slots)
    check(slot.size() == floats, ExitCode::kBadData,
          "[optimizer] expected optimizer slots of {} floats, got {}", floats, slot.size());
}

}  // namespace lockstep
