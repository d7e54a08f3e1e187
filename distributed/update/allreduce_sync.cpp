#include "distributed/update/allreduce_sync.hpp"

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

}  // namespace

AllreduceSync::AllreduceSync(Sequential& model, const Communicator& communicator, Options options,
                             std::span<const StepPlan> plans)
    : model_(model),
      communicator_(communicator),
      options_(options),
      overlap_(spans_hosts(communicator)),
      workspace_(model, most_rows(plans, communicator.rank()), Workspace::Use::kTraining),
      buckets_(plan_buckets(model, options.bucket_floats)),
      stride_(model.arena().trainable_size()),
      totals_(options.statistics),
      statistics_messages_(communicator) {
  std::size_t own_nodes = 1;  // the sums end in the first
  std::size_t all_nodes = 0;
  std::size_t other_nodes = 0;
  for (const StepPlan& plan : plans) {
    const Range rows = plan.rows_of(communicator.rank());
    steps_.push_back({&plan,
                      {rows, {0, rows.count()}, {0, element_count(model.input_shape())}},
                      plan.node_rows(communicator.rank()),
                      TreeSum(plan.grains(), plan.all_nodes())});
    const std::size_t all = plan.all_nodes().size();
    const std::size_t own = plan.nodes_of(communicator.rank()).size();
    own_nodes = std::max(own_nodes, own);
    all_nodes = std::max(all_nodes, all);
    other_nodes = std::max(other_nodes, all - own);
  }
  gradients_ = FloatBuffer(static_cast<std::int64_t>(own_nodes) * stride_);
  statistics_.resize(all_nodes * options.statistics);
  addends_.resize(all_nodes);

  std::int64_t received = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    messages_of_.emplace_back(communicator);
    received_at_.push_back(received);
    received += static_cast<std::int64_t>(other_nodes) * slice(bucket, communicator.rank()).count();
  }
  received_ = FloatBuffer(received);
  for (std::size_t i = 0; i < model.optimizer().slot_names().size(); ++i)
    slots_.emplace_back(model.arena().trainable_size());
}

Range AllreduceSync::slice(std::size_t bucket, int rank) const {
  return slice_of(buckets_[bucket].floats, rank, communicator_.size());
}

std::span<float> AllreduceSync::node_floats(std::size_t node, Range floats) {
  return part_of(gradients_.span(), static_cast<std::int64_t>(node) * stride_ + floats.first,
                 floats.count());
}

void AllreduceSync::begin_step(const StepPlan& plan) {
  step_ = &*std::ranges::find(steps_, &plan, &Step::plan);
  model_.optimizer().begin_step();
  started_ = 0;
}

GradientNodes AllreduceSync::nodes() const {
  return {.samples = step_->node_rows, .grain = step_->plan->grain(), .stride = stride_};
}

std::span<double> AllreduceSync::statistics_of(int rank) {
  const std::size_t first = step_->plan->first_node(rank);
  const std::size_t last = step_->plan->first_node(rank + 1);
  return std::span(statistics_)
      .subspan(first * options_.statistics, (last - first) * options_.statistics);
}

std::span<double> AllreduceSync::node_statistics(std::size_t node) {
  return statistics_of(communicator_.rank())
      .subspan(node * options_.statistics, options_.statistics);
}

void AllreduceSync::layer_done(std::size_t layer) {
  if (!overlap_) return;
  while (started_ < buckets_.size() && buckets_[started_].last_layer >= layer) start(started_++);
}

std::span<const double> AllreduceSync::finish() {
  const InPhase phase(options_.profile, Phase::kExchange);
  send_statistics();
  while (started_ < buckets_.size()) start(started_++);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) add_up(bucket);
  add_up_statistics();
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    messages_of_[bucket].wait();
    update(buckets_[bucket].floats);
  }
  return totals_;
}

void AllreduceSync::send_statistics() {
  for (int other = 0; other < communicator_.size(); ++other) {
    if (other == communicator_.rank()) continue;
    const std::span<double> theirs = statistics_of(other);
    const std::span<double> mine = statistics_of(communicator_.rank());
    if (!theirs.empty()) statistics_messages_.receive(theirs, other, kStatisticsTag);
    if (mine.empty()) continue;
    statistics_messages_.send(mine, other, kStatisticsTag);
    count(mine.size_bytes());
  }
}

void AllreduceSync::add_up_statistics() {
  statistics_messages_.wait();
  step_->sum.add_to_root(statistics_, totals_);
}

/// The gradients of this rank's nodes.
void AllreduceSync::compute(Range floats) {
  const InPhase phase(options_.profile, Phase::kGradients);
  model_.gradients(workspace_, rows(), {.nodes = nodes()}, floats, node_floats(0, floats).data());
}

/// Sends this rank's nodes of every other rank's slice, and expects theirs of its own slice.
void AllreduceSync::start(std::size_t bucket) {
  compute(buckets_[bucket].floats);
  const int self = communicator_.rank();
  const Range own = slice(bucket, self);
  std::int64_t at = received_at_[bucket];
  for (int other = 0; other < communicator_.size(); ++other) {
    if (other == self) continue;
    for (std::size_t node = 0; own.count() > 0 && node < step_->plan->nodes_of(other).size();
         ++node) {
      messages_of_[bucket].receive(part_of(received_.span(), at, own.count()), other,
                                   tag_of(bucket));
      at += own.count();
    }
    const Range theirs = slice(bucket, other);
    for (std::size_t node = 0; theirs.count() > 0 && node < step_->node_rows.size(); ++node) {
      messages_of_[bucket].send(node_floats(node, theirs), other, tag_of(bucket));
      count(node_floats(node, theirs).size_bytes());
    }
  }
}

/// Adds up this rank's slice, and starts to send the sum to all.
void AllreduceSync::add_up(std::size_t bucket) {
  const int self = communicator_.rank();
  messages_of_[bucket].wait();
  const Range own = slice(bucket, self);
  if (own.count() > 0) {
    const InPhase phase(options_.profile, Phase::kUpdate);
    std::int64_t at = received_at_[bucket];
    std::size_t addend = 0;
    for (int rank = 0; rank < communicator_.size(); ++rank)
      for (std::size_t node = 0; node < step_->plan->nodes_of(rank).size(); ++node) {
        if (rank == self) {
          addends_[addend++] = node_floats(node, own).data();
        } else {
          addends_[addend++] = part_of(received_.span(), at, own.count()).data();
          at += own.count();
        }
      }
    step_->sum.add(std::span(addends_).first(addend), node_floats(0, own).data(), own.count());
  }
  for (int other = 0; other < communicator_.size(); ++other) {
    if (other == self) continue;
    const Range theirs = slice(bucket, other);
    if (theirs.count() > 0)
      messages_of_[bucket].receive(node_floats(0, theirs), other, tag_of(bucket));
    if (own.count() == 0) continue;
    messages_of_[bucket].send(node_floats(0, own), other, tag_of(bucket));
    count(node_floats(0, own).size_bytes());
  }
}

void AllreduceSync::update(Range floats) {
  const InPhase phase(options_.profile, Phase::kUpdate);
  fault_point("gradient", communicator_.rank(), model_.optimizer().iterations(),
              node_floats(0, floats));
  model_.add_regularization_gradient(floats, node_floats(0, floats).data());
  UpdateSpan span{
      part_of(model_.arena().values(), floats.first, floats.count()), node_floats(0, floats), {}};
  for (std::size_t i = 0; i < slots_.size(); ++i)
    span.slots[i] = part_of(slots_[i].span(), floats.first, floats.count());
  model_.optimizer().update(span);
}

void AllreduceSync::check_replicas(const std::string& when) const {
  std::vector<std::span<const float>> slots;
  for (const FloatBuffer& slot : slots_) slots.push_back(slot.span());
  lockstep::check_replicas(model_, slots, communicator_, when);
}

OptimizerSlots AllreduceSync::gather_slots() const {
  OptimizerSlots gathered;
  if (!communicator_.is_root()) return gathered;
  for (const FloatBuffer& slot : slots_)
    gathered.emplace_back(slot.span().begin(), slot.span().end());
  return gathered;
}

void AllreduceSync::restore_slots(const OptimizerSlots& slots) {
  check_slots(model_, slots);
  for (std::size_t i = 0; i < slots.size(); ++i)
    std::ranges::copy(slots[i], slots_[i].span().begin());
}

std::int64_t AllreduceSync::slot_floats() const {
  return static_cast<std::int64_t>(slots_.size()) * model_.arena().trainable_size();
}

}  // namespace lockstep
