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

}  // namespace

AllreduceOptimizer::AllreduceOptimizer(Network& model, const Communicator& communicator,
                                       Options options, std::span<const StepPlan> plans)
    : DistributedOptimizer(model, options),
      communicator_(communicator),
      overlap_(spans_hosts(communicator)),
      layout_(plan_allreduce_layout(model, communicator.rank(), options, plans)),
      buckets_(layout_.buckets),
      workspace_(model.graph(), layout_.workspace),
      ranks_(hosts_of_one_rank(communicator.size())),
      stride_(layout_.gradients.partial_floats),
      gradients_(layout_.gradient_floats),
      received_(layout_.received_floats),
      loss_sums_(communicator, kLossSumsTag, layout_.all_subtrees * options.loss_sums, traffic_),
      batch_sums_(communicator, kBatchSumsTag,
                  layout_.all_subtrees * model.graph().most_batch_sums(), traffic_),
      totals_(options.loss_sums),
      requests_of_(static_cast<std::size_t>(communicator.size())),
      addends_(layout_.all_subtrees) {
  for (const StepPlan& plan : plans) {
    const Range rows = plan.rows_of(communicator.rank());
    steps_.push_back({&plan,
                      {rows, {0, rows.count()}, {0, objective_.aim().input_columns(model.graph())}},
                      plan.subtree_rows(communicator.rank()),
                      TreeSum(plan.grains(), plan.all_subtrees())});
    if (!layout_.tables.empty())
      table_steps_.push_back(plan_sharded_step(plan, ranks_, communicator.rank()));
  }
  for (std::size_t i = 0; i < buckets_.size(); ++i) messages_of_.emplace_back(communicator);
  for (std::size_t i = 0; i < objective_.optimizer().slot_names().size(); ++i)
    slots_.push_back(fresh_slot(objective_.optimizer(), i, model.arena().trainable_size()));
  std::vector<std::array<float*, kMaxSlots>> table_slots;
  for (const Table& table : layout_.tables) {
    auto& its = table_slots.emplace_back();
    for (std::size_t i = 0; i < slots_.size(); ++i)
      its[i] = slots_[i].span().data() + table.parameter->offset;
  }
  tables_.emplace(objective_, ranks_, communicator.rank(), layout_.tables, plans, workspace_,
                  std::move(table_slots), traffic_);
  plan_passes(workspace_, layout_.gradients, layout_.block_grains, layout_.most_grains);
}

Range AllreduceOptimizer::shard(std::size_t bucket, int rank) const {
  return shard_of(buckets_[bucket].floats, rank, communicator_.size());
}

std::span<float> AllreduceOptimizer::partial_of(std::size_t subtree, Range floats) {
  return part_of(
      gradients_.span(),
      static_cast<std::int64_t>(subtree) * stride_ + layout_.gradients.partial_at(floats.first),
      floats.count());
}

void AllreduceOptimizer::begin_step(std::size_t plan) {
  step_ = &steps_[plan];
  loss_sums_.begin_step(*step_->plan, step_->sum);
  batch_sums_.begin_step(*step_->plan, step_->sum);
  objective_.optimizer().begin_step();
  norms_.begin_step();
  if (tables_->any()) tables_->begin_step(table_steps_[plan]);
  started_ = 0;
}

Subtrees AllreduceOptimizer::subtrees() const {
  return {.samples = step_->subtree_rows, .grain = step_->plan->grain(), .stride = stride_};
}

void AllreduceOptimizer::catch_up_tables() {
  const InPhase phase(options_.profile, Phase::kUpdate);
  tables_->catch_up();
}

void AllreduceOptimizer::op_done(std::size_t op) {
  if (!overlap_) return;
  while (started_ < buckets_.size() && buckets_[started_].last_op >= op) start(started_++);
}

std::span<const double> AllreduceOptimizer::finish() {
  const InPhase phase(options_.profile, Phase::kExchange);
  requests_of_[static_cast<std::size_t>(communicator_.rank())] = requested_;
  loss_sums_.send(options_.loss_sums, requests_of_);
  while (started_ < buckets_.size()) start(started_++);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) add_up(bucket);
  loss_sums_.receive(totals_);
  requests_ = any_of(requests_of_);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    messages_of_[bucket].wait();
    const InPhase updating(options_.profile, Phase::kUpdate);
    if (is_of_tables(bucket)) {
      tables_->update();
      continue;
    }
    complete_gradients(buckets_[bucket].floats);
    if (norms_.wanted()) {
      const Range own = shard(bucket, communicator_.rank());
      if (own.count() > 0) norms_.add(update_span(own), own);
    } else {
      update(buckets_[bucket].floats);
    }
  }
  if (norms_.wanted()) {
    norms_.exchange(communicator_);
    const InPhase updating(options_.profile, Phase::kUpdate);
    if (norms_.wants_ratios()) {
      for (const Bucket& bucket : buckets_)
        norms_.begin_update(update_span(bucket.floats), bucket.floats);
      norms_.take_ratios();
    }
    for (const Bucket& bucket : buckets_) update(bucket.floats);
  }
  const InPhase updating(options_.profile, Phase::kUpdate);
  constraints_.apply(0, 1);
  return totals_;
}

/// Sends this rank's partials of every other rank's shard, and expects theirs of its own shard.
void AllreduceOptimizer::start(std::size_t bucket) {
  if (is_of_tables(bucket)) {
    const InPhase phase(options_.profile, Phase::kGradients);
    tables_->compute();
    tables_->send(messages_of_[bucket], tag_of(bucket));
    return;
  }
  const int self = communicator_.rank();
  const Range own = shard(bucket, self);
  std::int64_t at = layout_.received_at[bucket];
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
  if (is_of_tables(bucket)) return;
  const int self = communicator_.rank();
  messages_of_[bucket].wait();
  const Range own = shard(bucket, self);
  if (own.count() > 0) {
    const InPhase phase(options_.profile, Phase::kUpdate);
    std::int64_t at = layout_.received_at[bucket];
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

void AllreduceOptimizer::complete_gradients(Range floats) {
  fault_point("gradient", communicator_.rank(), objective_.optimizer().iterations(),
              partial_of(0, floats));
  model_.add_regularization_gradient(floats, partial_of(0, floats).data());
}

UpdateSpan AllreduceOptimizer::update_span(Range floats) {
  UpdateSpan span{
      part_of(model_.arena().values(), floats.first, floats.count()), partial_of(0, floats), {}};
  for (std::size_t i = 0; i < slots_.size(); ++i)
    span.slots[i] = part_of(slots_[i].span(), floats.first, floats.count());
  return span;
}

void AllreduceOptimizer::update(Range floats) {
  norms_.update(update_span(floats), floats);
}

void AllreduceOptimizer::check_replicas(const std::string& when) const {
  std::vector<std::span<const float>> slots;
  for (const FloatBuffer& slot : slots_) slots.push_back(slot.span());
  lockstep::check_replicas(model_, objective_, slots, communicator_, when);
}

OptimizerSlots AllreduceOptimizer::gather_slots() {
  catch_up_all();
  OptimizerSlots gathered;
  if (!communicator_.is_root()) return gathered;
  for (const FloatBuffer& slot : slots_)
    gathered.emplace_back(slot.span().begin(), slot.span().end());
  return gathered;
}

void AllreduceOptimizer::restore_slots(const OptimizerSlots& slots) {
  check_slots(model_, objective_, slots);
  for (std::size_t i = 0; i < slots.size(); ++i)
    std::ranges::copy(slots[i], slots_[i].span().begin());
}

std::int64_t AllreduceOptimizer::slot_floats() const {
  return static_cast<std::int64_t>(slots_.size()) * model_.arena().trainable_size();
}

}  // namespace lockstep
