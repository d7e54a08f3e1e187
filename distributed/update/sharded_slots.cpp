#include "distributed/update/sharded_slots.hpp"

#include <algorithm>

#include "distributed/ranks/messages.hpp"
#include "distributed/ranks/replica_check.hpp"
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
                           std::span<const Bucket> buckets, std::span<const Table> tables)
    : model_(model),
      objective_(objective),
      communicator_(communicator),
      map_(map),
      buckets_(buckets),
      tables_(tables) {
  std::int64_t floats = total(owned_by(communicator.rank()));
  const RowShare share = row_share(map, communicator.rank());
  for (const Table& table : tables) floats += share.count(table.rows) * table.features;
  for (std::size_t i = 0; i < objective.optimizer().slot_names().size(); ++i)
    slots_.push_back(fresh_slot(objective.optimizer(), i, floats));
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

/// The rows of tables, which lie behind.
std::vector<Range> ShardedSlots::rows_owned_by(int rank) const {
  const RowShare share = row_share(map_, rank);
  std::vector<Range> owned;
  for (const Table& table : tables_)
    for (std::int64_t row = share.first; row < table.rows; row += share.of) {
      const std::int64_t first = table.parameter->offset + row * table.features;
      owned.push_back({first, first + table.features});
    }
  return owned;
}

std::vector<std::array<float*, kMaxSlots>> ShardedSlots::of_tables() {
  const RowShare share = row_share(map_, communicator_.rank());
  std::int64_t at = total(owned_by(communicator_.rank()));
  std::vector<std::array<float*, kMaxSlots>> all;
  for (const Table& table : tables_) {
    auto& its = all.emplace_back();
    for (std::size_t i = 0; i < slots_.size(); ++i) its[i] = slots_[i].span().data() + at;
    at += share.count(table.rows) * table.features;
  }
  return all;
}

std::int64_t ShardedSlots::floats() const {
  std::int64_t floats = 0;
  for (const FloatBuffer& slot : slots_) floats += static_cast<std::int64_t>(slot.span().size());
  return floats;
}

/// Of parameters: what lies between them is updated along with them, and may be anything.
bool ShardedSlots::finite() const {
  std::vector<Range> owned = owned_by(communicator_.rank());
  const std::vector<Range> rows = rows_owned_by(communicator_.rank());
  owned.insert(owned.end(), rows.begin(), rows.end());
  std::int64_t at = 0;
  for (const Range& piece : owned) {
    for (const Parameter* parameter : model_.arena().parameters()) {
      const Range elements = parameter->elements_within(piece);
      if (elements.count() == 0) continue;
      const std::int64_t first = at + parameter->offset + elements.first - piece.first;
      for (const FloatBuffer& slot : slots_)
        if (!all_finite(slot.span().subspan(static_cast<std::size_t>(first),
                                            static_cast<std::size_t>(elements.count()))))
          return false;
    }
    at += piece.count();
  }
  return true;
}

OptimizerSlots ShardedSlots::gather() const {
  OptimizerSlots gathered;
  for (std::size_t number = 0; number < slots_.size(); ++number) {
    const FloatBuffer& slot = slots_[number];
    Messages messages(communicator_);
    // Of tables, the first rank's host has everything.
    const auto gathered_of = [&](int rank) {
      std::vector<Range> owned = owned_by(rank);
      if (map_.host_of(rank) == map_.host_of(0)) {
        const std::vector<Range> rows = rows_owned_by(rank);
        owned.insert(owned.end(), rows.begin(), rows.end());
      }
      return owned;
    };
    if (!communicator_.is_root()) {
      const std::int64_t floats = total(gathered_of(communicator_.rank()));
      messages.send(slot.span().first(static_cast<std::size_t>(floats)), 0, kLossSumsTag);
      messages.wait();
      continue;
    }
    auto& whole = gathered.emplace_back(static_cast<std::size_t>(model_.arena().trainable_size()),
                                        objective_.optimizer().slot_start(number));
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const std::vector<Range> owned = gathered_of(rank);
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
  std::vector<Range> owned = owned_by(communicator_.rank());
  const std::vector<Range> rows = rows_owned_by(communicator_.rank());
  owned.insert(owned.end(), rows.begin(), rows.end());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    float* next = slots_[i].span().data();
    for (const Range& piece : owned)
      next = std::copy_n(slots[i].begin() + piece.first, piece.count(), next);
  }
}

}  // namespace lockstep
