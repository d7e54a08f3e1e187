#include "distributed/update/distributed_optimizer.hpp"

#include <algorithm>

#include "distributed/ranks/agreement.hpp"
#include "distributed/update/allreduce_optimizer.hpp"
#include "distributed/update/sharded_optimizer.hpp"
#include "src/core/error.hpp"
#include "src/core/memory.hpp"
#include "src/graph/block_size.hpp"

namespace lockstep {

std::unique_ptr<DistributedOptimizer> make_distributed_optimizer(
    DistributedOptimizer::Strategy wanted, Network& model, const Communicator& communicator,
    const DistributedOptimizer::Options& options, std::span<const StepPlan> plans,
    std::string& why_not) {
  if (wanted == DistributedOptimizer::Strategy::kSharded) {
    Communicator host = communicator.on_this_host();
    // It allocates before, between and after it meets other ranks: what one rank lacks is told to
    // the waiting ones by never_alone(), not by an agreement that they never reach.
    auto sharded = allocating("workspace, gradients and optimizer state of --sync sharded", [&] {
      return std::make_unique<ShardedOptimizer>(model, communicator, std::move(host), options,
                                                plans);
    });
    const bool shared = communicator.all_min(sharded->shares_memory() ? 1 : 0) == 1;
    if (shared) return sharded;
    why_not =
        "the ranks of a host could not share memory (is /dev/shm large enough? what do ulimit -v "
        "and -f say?)";
  }
  std::unique_ptr<AllreduceOptimizer> plain;
  together(communicator, [&] {
    plain = allocating("workspace, gradients and optimizer state of --sync allreduce", [&] {
      return std::make_unique<AllreduceOptimizer>(model, communicator, options, plans);
    });
  });
  return plain;
}

std::int64_t block_grains(const Network& model, const DistributedOptimizer::Options& options,
                          std::int64_t grain_rows, std::int64_t most_grains) {
  if (options.block_grains) return *options.block_grains;
  return choose_block_grains(model.graph(), model.training_ops(), grain_rows, most_grains,
                             second_level_cache_bytes());
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

void DistributedOptimizer::run(const Pass& wanted, const TrainingPass::LossOfBlock& loss) {
  Pass pass = wanted;
  pass.numerics = model_.numerics();
  pass.batch_sums = &batch_sums();
  pass.writes_state = writes_state();
  passes_->run(pass, subtrees(), partials(), loss, [this](std::size_t op) { op_done(op); });
}

void check_slots(const Network& model, const OptimizerSlots& slots) {
  const std::size_t count = model.optimizer().slot_names().size();
  const auto floats = static_cast<std::size_t>(model.arena().trainable_size());
  check(slots.size() == count, ExitCode::kBadData,
        "[optimizer] expected {} optimizer slots, got {}", count, slots.size());
  for (const auto& slot : slots)
    check(slot.size() == floats, ExitCode::kBadData,
          "[optimizer] expected optimizer slots of {} floats, got {}", floats, slot.size());
}

}  // namespace lockstep
