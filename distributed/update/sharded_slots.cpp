#include "distributed/update/sharded_slots.hpp"

#include <algorithm>
#include <cmath>

#include "distributed/ranks/messages.hpp"
#include "distributed/update/distributed_optimizer.hpp"

namespace lockstep {
namespace {

std::int64_t total(std::span<const Range> pieces) {
  std::int64_t floats = 0;
  for (const Range& piece : pieces) floats += piece.count();
  return floats;
}

}  // namespace

ShardedSlots::ShardedSlots(const Network& model, const Objective& objective,
                           const Communicator& communicator, const HostMap& map,
                           std::span<const Bucket> buckets)
    : model_(model),
      objective_(objective),
      communicator_(communicator),
      map_(map),
      buckets_(buckets) {
  const std::int64_t floats = total(owned_by(communicator.rank()));
  for (std::size_t i = 0; i < objective.optimizer().slot_names().size(); ++i)
    slots_.emplace_back(floats);
}

/// The pieces of a rank, in the order of its slots.
std::vector<Range> ShardedSlots::owned_by(int rank) const {
  const int host = map_.host_of(rank);
  std::vector<Range> owned;
  for (const Bucket& bucket : buckets_)
    for (int shard = 0; shard < map_.shards(); ++shard)
      if (map_.owner(host, shard) == rank) owned.push_back(map_.piece(bucket, shard, host));
  return owned;
}

std::int64_t ShardedSlots::floats() const {
  std::int64_t floats = 0;
  for (const FloatBuffer& slot : slots_) floats += static_cast<std::int64_t>(slot.span().size());
  return floats;
}

bool ShardedSlots::finite() const {
  return std::ranges::all_of(slots_, [](const FloatBuffer& slot) {
    return std::ranges::all_of(slot.span(), [](float x) { return std::isfinite(x); });
  });
}

OptimizerSlots ShardedSlots::gather() const {
  OptimizerSlots gathered;
  for (const FloatBuffer& slot : slots_) {
    Messages messages(communicator_);
    if (!communicator_.is_root()) {
      messages.send(slot.span(), 0, kLossSumsTag);
      messages.wait();
      continue;
    }
    auto& whole = gathered.emplace_back(static_cast<std::size_t>(model_.arena().trainable_size()));
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const std::vector<Range> owned = owned_by(rank);
      std::vector<float> theirs(slot.span().begin(), slot.span().end());
      if (rank != 0) {
        theirs.resize(static_cast<std::size_t>(total(owned)));
        messages.receive(theirs, rank, kLossSumsTag);
        messages.wait();
      }
      const float* next = theirs.data();
      for (const Range& piece : owned) {
        std::copy_n(next, piece.count(), whole.begin() + piece.first);
        next += piece.count();
      }
    }
  }
  return gathered;
}

void ShardedSlots::restore(const OptimizerSlots& slots) {
  check_slots(model_, objective_, slots);
  const std::vector<Range> owned = owned_by(communicator_.rank());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    float* next = slots_[i].span().data();
    for (const Range& piece : owned)
      next = std::copy_n(slots[i].begin() + piece.first, piece.count(), next);
  }
}

}  // namespace lockstep
