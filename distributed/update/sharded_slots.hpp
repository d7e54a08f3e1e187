#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/update/host_map.hpp"
#include "distributed/update/table.hpp"
#include "io/keras/keras_file.hpp"
#include "src/core/float_buffer.hpp"

namespace lockstep {

/// The optimizer's slots, once in the job: a rank holds those of the pieces that it owns
/// (HostMap), bucket by bucket, one piece after the other. Then, once on every host, those of rows
/// of tables that it owns (RowShare).
class ShardedSlots {
 public:
  /// The references must outlive this object.
  ShardedSlots(const Network& model, const Objective& objective, const Communicator& communicator,
               const HostMap& map, std::span<const Bucket> buckets, std::span<const Table> tables);

  std::size_t count() const { return slots_.size(); }
  /// Of slot i, floats of this rank's pieces, counted from the first of them.
  std::span<float> of(std::size_t i, std::int64_t first, std::int64_t floats) {
    return part_of(slots_[i].span(), first, floats);
  }
  /// Where the slots of each table begin.
  std::vector<std::array<float*, kMaxSlots>> of_tables();
  /// Floats of all slots that this rank holds.
  std::int64_t floats() const;
  bool finite() const;

  /// All parameters' on rank 0; empty elsewhere. Collective.
  OptimizerSlots gather() const;
  /// Takes this rank's part of all parameters' slots. Throws Error (65) if they do not fit.
  void restore(const OptimizerSlots& slots);

 private:
  std::vector<Range> owned_by(int rank) const;
  std::vector<Range> rows_owned_by(int rank) const;

  const Network& model_;
  const Objective& objective_;
  const Communicator& communicator_;
  const HostMap& map_;
  std::span<const Bucket> buckets_;
  std::span<const Table> tables_;
  std::vector<FloatBuffer> slots_;
};

}  // namespace lockstep
