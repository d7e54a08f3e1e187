#include "distributed/gradient_sync.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {

std::vector<Bucket> plan_buckets(const Sequential& model, std::int64_t bucket_floats) {
  std::vector<Bucket> buckets;
  std::int64_t end = ParameterArena::kHeader + model.arena().trainable_size();
  Bucket current{end, end, model.layers().size()};
  for (std::size_t layer = model.layers().size(); layer-- > 0;) {
    const auto& parameters = model.layers()[layer]->parameters();
    if (parameters.empty() || !parameters.front().trainable) continue;
    const std::int64_t first = ParameterArena::kHeader + parameters.front().offset;
    if (current.first < current.last && current.last - first > bucket_floats) {
      buckets.push_back(current);
      current.last = current.first;
    }
    current.first = first;
    current.last_layer = layer;
  }
  current.first = 0;  // the header travels with the first layer
  current.last_layer = std::min(current.last_layer, model.layers().size() - 1);
  buckets.push_back(current);
  return buckets;
}

GradientSync::GradientSync(Sequential& model, const Communicator& communicator,
                           std::int64_t bucket_floats, Overlap overlap)
    : model_(model),
      communicator_(communicator),
      buckets_(plan_buckets(model, bucket_floats)),
      overlap_(buckets_.size() > 1 ? overlap : Overlap::kNone),
      pending_(buckets_.size()) {
  for (std::size_t i = 0; i < model.optimizer().slot_names().size(); ++i)
    slots_.emplace_back(model.arena().trainable_size());
}

std::span<float> GradientSync::memory(const Bucket& bucket) {
  return model_.arena().header_and_gradients().subspan(
      static_cast<std::size_t>(bucket.first), static_cast<std::size_t>(bucket.last - bucket.first));
}

void GradientSync::layer_done(std::size_t layer) {
  if (overlap_ == Overlap::kNone) return;
  while (started_ < buckets_.size() && buckets_[started_].last_layer >= layer) {
    pending_[started_] = PendingSum(communicator_, memory(buckets_[started_]));
    ++started_;
    ++messages_;
  }
}

void GradientSync::finish() {
  model_.optimizer().begin_step();
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (i < started_) {
      pending_[i].wait();
    } else if (communicator_.size() > 1) {
      communicator_.all_sum(memory(buckets_[i]));
      ++messages_;
    }
    update(buckets_[i]);
  }
  started_ = 0;
}

void GradientSync::update(const Bucket& bucket) {
  const std::int64_t first = std::max<std::int64_t>(bucket.first - ParameterArena::kHeader, 0);
  const std::int64_t last = bucket.last - ParameterArena::kHeader;
  model_.add_regularization_gradient(first, last);
  const auto start = static_cast<std::size_t>(first);
  const auto count = static_cast<std::size_t>(last - first);
  UpdateSpan span{model_.arena().values().subspan(start, count),
                  model_.arena().gradients().subspan(start, count),
                  {}};
  for (std::size_t i = 0; i < slots_.size(); ++i)
    span.slots[i] = slots_[i].span().subspan(start, count);
  model_.optimizer().update(span);
}

OptimizerSlots GradientSync::gather_slots() const {
  OptimizerSlots gathered;
  for (const FloatBuffer& slot : slots_)
    gathered.emplace_back(slot.span().begin(), slot.span().end());
  return gathered;
}

void GradientSync::restore_slots(const OptimizerSlots& slots) {
  check(slots.size() == slots_.size(), ExitCode::kBadData,
        "[sync] expected {} optimizer slots, got {}", slots_.size(), slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    check(slots[i].size() == slots_[i].span().size(), ExitCode::kBadData,
          "[sync] expected optimizer slots of {} floats, got {}", slots_[i].span().size(),
          slots[i].size());
    std::ranges::copy(slots[i], slots_[i].span().begin());
  }
}

}  // namespace lockstep
