#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/communicator.hpp"
#include "io/keras_file.hpp"
#include "src/core/float_buffer.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {

/// A run of the gradient buffer (header included) that travels in one message: it may leave as soon
/// as the gradients of `last_layer` and of all later layers are complete.
struct Bucket {
  std::int64_t first = 0;  ///< floats from the start of header_and_gradients()
  std::int64_t last = 0;
  std::size_t last_layer = 0;  ///< the earliest layer in it
};

/// Cuts the gradient buffer, from its end (backward ends with the first layer), into buckets of at
/// most `bucket_floats`, whole layers each. Every float is in exactly one bucket. A pure function.
std::vector<Bucket> plan_buckets(const Sequential& model, std::int64_t bucket_floats);

/// Makes the replicas one: sums the gradients over all ranks and updates the parameters, the same
/// on every rank. Owns the optimizer's slots.
///
/// One step: backward calls layer_done() for each layer, then finish(). Collective, every rank the
/// same.
class GradientSync {
 public:
  /// kDuringBackward starts a non-blocking sum for each bucket as it is complete, which pays
  /// between hosts; on one host a blocking sum is faster (tests/benchmark). One bucket is always
  /// summed blocking.
  enum class Overlap { kNone, kDuringBackward };

  GradientSync(Sequential& model, const Communicator& communicator, std::int64_t bucket_floats,
               Overlap overlap);

  void layer_done(std::size_t layer);
  /// Returns when every parameter is updated, and equal on every rank. The arena's header then
  /// holds the sums over all ranks.
  void finish();

  std::int64_t messages_started() const { return messages_; }  ///< since construction
  std::size_t bucket_count() const { return buckets_.size(); }

  /// The slots of all parameters, for a checkpoint.
  OptimizerSlots gather_slots() const;
  void restore_slots(const OptimizerSlots& slots);
  std::span<const float> slot(std::size_t i) const { return slots_[i].span(); }
  std::size_t slot_count() const { return slots_.size(); }

 private:
  void update(const Bucket& bucket);
  std::span<float> memory(const Bucket& bucket);

  Sequential& model_;
  const Communicator& communicator_;
  std::vector<Bucket> buckets_;
  Overlap overlap_;
  std::vector<FloatBuffer> slots_;
  std::vector<PendingSum> pending_;
  std::size_t started_ = 0;  ///< buckets of this step whose sum is under way
  std::int64_t messages_ = 0;
};

}  // namespace lockstep
