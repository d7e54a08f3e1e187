#include "distributed/update/allreduce_optimizer.hpp"

#include <algorithm>

#include "distributed/ranks/replica_check.hpp"
#include "src/core/fault.hpp"

namespace lockstep {
namespace {

bool spans_hosts(const Communicator& communicator) {
  const bool one_host = communicator.on_this_host().size() == communicator.size();
  return communicator.all_min(one_host ? 1 : 0) == 0;
}

std::int64_t most_rows(std::span<const StepPlan> plans, int rank) {
  std::int64_t rows = 0;
  for (const StepPlan& plan : plans) rows = std::max(rows, plan.rows_of(rank).count());
  return rows;
}

std::int64_t most_grains(std::span<const StepPlan> plans, int rank) {
  std::int64_t grains = 1;
  for (const StepPlan& plan : plans)
    grains = std::max(grains, (plan.rows_of(rank).count() + plan.grain() - 1) / plan.grain());
  return grains;
}

WorkspaceUse use_of(const Network& model, std::int64_t rows, std::int64_t block_rows) {
  return {.training = true,
          .ops = model.training_ops(),
          .way = std::vector(model.graph().ops(), GradientWay::kRows),
          .rows = {0, rows, block_rows > 0 ? std::min(block_rows, rows) : rows}};
}

}  // namespace

AllreduceOptimizer::AllreduceOptimizer(Network& model, const Communicator& communicator,
                                       Options options, std::span<const StepPlan> plans)
    : DistributedOptimizer(model, options),
      communicator_(communicator),
      overlap_(spans_hosts(communicator)),
      block_grains_(block_grains(plans.front().grain(), most_grains(plans, communicator.rank()))),
      gradient_plan_(plan_gradients(model.graph(), GradientWay::kRows)),
      workspace_(model.graph(), use_of(model, most_rows(plans, communicator.rank()),
                                       block_grains_ * plans.front().grain())),
      buckets_(plan_buckets(gradient_plan_, model.arena().trainable_size(), options.bucket_floats)),
      stride_(model.arena().trainable_size()),
      loss_sums_(communicator, kLossSumsTag, traffic_),
      batch_sums_(communicator, kBatchSumsTag, traffic_),
      totals_(options.loss_sums) {
  std::size_t own_subtrees = 1;  // the sums end in the first
  std::size_t all_subtrees = 0;
  std::size_t other_subtrees = 0;
  for (const StepPlan& plan : plans) {
    const Range rows = plan.rows_of(communicator.rank());
    steps_.push_back({&plan,
                      {rows, {0, rows.count()}, {0, element_count(model.input_shape())}},
                      plan.subtree_rows(communicator.rank()),
                      TreeSum(plan.grains(), plan.all_subtrees())});
    const std::size_t all = plan.all_subtrees().size();
    const std::size_t own = plan.subtrees_of(communicator.rank()).size();
    own_subtrees = std::max(own_subtrees, own);
    all_subtrees = std::max(all_subtrees, all);
    other_subtrees = std::max(other_subtrees, all - own);
  }
  gradients_ = FloatBuffer(static_cast<std::int64_t>(own_subtrees) * stride_);
  addends_.resize(all_subtrees);

  std::int64_t received = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    messages_of_.emplace_back(communicator);
    received_at_.push_back(received);
    received +=
        static_cast<std::int64_t>(other_subtrees) * shard(bucket, communicator.rank()).count();
  }
  received_ = FloatBuffer(received);
  for (std::size_t i = 0; i < model.optimizer().slot_names().size(); ++i)
    slots_.emplace_back(model.arena().trainable_size());
  plan_passes(workspace_, gradient_plan_, block_grains_, most_grains(plans, communicator.rank()));
}

Range AllreduceOptimizer::shard(std::size_t bucket, int rank) const {
  return shard_of(buckets_[bucket].floats, rank, communicator_.size());
}

std::span<float> AllreduceOptimizer::partial_of(std::size_t subtree, Range floats) {
  return part_of(gradients_.span(), static_cast<std::int64_t>(subtree) * stride_ + floats.first,
                 floats.count());
}

void AllreduceOptimizer::begin_step(std::size_t plan) {
  step_ = &steps_[plan];
  loss_sums_.begin_step(*step_->plan, step_->sum);
  batch_sums_.begin_step(*step_->plan, step_->sum);
  model_.optimizer().begin_step();
  started_ = 0;
}

Subtrees AllreduceOptimizer::subtrees() const {
  return {.samples = step_->subtree_rows, .grain = step_->plan->grain(), .stride = stride_};
}

void AllreduceOptimizer::op_done(std::size_t op) {
  if (!overlap_) return;
  while (started_ < buckets_.size() && buckets_[started_].last_op >= op) start(started_++);
}

std::span<const double> AllreduceOptimizer::finish() {
  const InPhase phase(options_.profile, Phase::kExchange);
  loss_sums_.send(options_.loss_sums);
  while (started_ < buckets_.size()) start(started_++);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) add_up(bucket);
  loss_sums_.receive(totals_);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    messages_of_[bucket].wait();
    update(buckets_[bucket].floats);
  }
  return totals_;
}

/// Sends this rank's partials of every other rank's shard, and expects theirs of its own shard.
void AllreduceOptimizer::start(std::size_t bucket) {
  const int self = communicator_.rank();
  const Range own = shard(bucket, self);
  std::int64_t at = received_at_[bucket];
  for (int other = 0; other < communicator_.size(); ++other) {
    if (other == self) continue;
    for (std::size_t subtree = 0;
         own.count() > 0 && subtree < step_->plan->subtrees_of(other).size(); ++subtree) {
      messages_of_[bucket].receive(part_of(received_.span(), at, own.count()), other,
                                   tag_of(bucket));
      at += own.count();
    }
    const Range theirs = shard(bucket, other);
    for (std::size_t subtree = 0; theirs.count() > 0 && subtree < step_->subtree_rows.size();
         ++subtree) {
      messages_of_[bucket].send(partial_of(subtree, theirs), other, tag_of(bucket));
      traffic_.count(partial_of(subtree, theirs).size_bytes());
    }
  }
}

/// Adds up this rank's shard, and starts to send the sum to all.
void AllreduceOptimizer::add_up(std::size_t bucket) {
  const int self = communicator_.rank();
  messages_of_[bucket].wait();
  const Range own = shard(bucket, self);
  if (own.count() > 0) {
    const InPhase phase(options_.profile, Phase::kUpdate);
    std::int64_t at = received_at_[bucket];
    std::size_t addend = 0;
    for (int rank = 0; rank < communicator_.size(); ++rank)
      for (std::size_t subtree = 0; subtree < step_->plan->subtrees_of(rank).size(); ++subtree) {
        if (rank == self) {
          addends_[addend++] = partial_of(subtree, own).data();
        } else {
          addends_[addend++] = part_of(received_.span(), at, own.count()).data();
          at += own.count();
        }
      }
    step_->sum.add(std::span(addends_).first(addend), partial_of(0, own).data(), own.count());
  }
  for (int other = 0; other < communicator_.size(); ++other) {
    if (other == self) continue;
    const Range theirs = shard(bucket, other);
    if (theirs.count() > 0)
      messages_of_[bucket].receive(partial_of(0, theirs), other, tag_of(bucket));
    if (own.count() == 0) continue;
    messages_of_[bucket].send(partial_of(0, own), other, tag_of(bucket));
    traffic_.count(partial_of(0, own).size_bytes());
  }
}

void AllreduceOptimizer::update(Range floats) {
  const InPhase phase(options_.profile, Phase::kUpdate);
  fault_point("gradient", communicator_.rank(), model_.optimizer().iterations(),
              partial_of(0, floats));
  model_.add_regularization_gradient(floats, partial_of(0, floats).data());
  UpdateSpan span{
      part_of(model_.arena().values(), floats.first, floats.count()), partial_of(0, floats), {}};
  for (std::size_t i = 0; i < slots_.size(); ++i)
    span.slots[i] = part_of(slots_[i].span(), floats.first, floats.count());
  model_.optimizer().update(span);
}

void AllreduceOptimizer::check_replicas(const std::string& when) const {
  std::vector<std::span<const float>> slots;
  for (const FloatBuffer& slot : slots_) slots.push_back(slot.span());
  lockstep::check_replicas(model_, slots, communicator_, when);
}

OptimizerSlots AllreduceOptimizer::gather_slots() const {
  OptimizerSlots gathered;
  if (!communicator_.is_root()) return gathered;
  for (const FloatBuffer& slot : slots_)
    gathered.emplace_back(slot.span().begin(), slot.span().end());
  return gathered;
}

void AllreduceOptimizer::restore_slots(const OptimizerSlots& slots) {
  check_slots(model_, slots);
  for (std::size_t i = 0; i < slots.size(); ++i)
    std::ranges::copy(slots[i], slots_[i].span().begin());
}

std::int64_t AllreduceOptimizer::slot_floats() const {
  return static_cast<std::int64_t>(slots_.size()) * model_.arena().trainable_size();
}

}  // namespace lockstep
