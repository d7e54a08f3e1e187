#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "src/core/range.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Clipping by norms (Keras's clipnorm, of each parameter, and global_clipnorm, of all together).
/// No rank need have a whole gradient: each adds the squares of what it owns. The sums are exact,
/// and so the same however the gradients are cut into buckets and shards.
class GradientNorms {
 public:
  /// The references must outlive this object.
  GradientNorms(const Network& model, const Objective& objective);

  /// After the optimizer's begin_step(): whether this step's update waits for norms.
  bool wanted() const { return objective_.optimizer().clips_norms(); }
  void begin_step();
  /// Of `floats` of the arena, whose gradients are complete. Each float once on one rank.
  void add(const UpdateSpan& span, Range floats);
  /// When this rank has added all that it owns. Collective.
  void exchange(const Communicator& communicator);

  /// The optimizer's update, clipped if this is wanted.
  void update(const UpdateSpan& span, Range floats) const;

 private:
  const Objective& objective_;
  std::vector<const Parameter*> parameters_;  ///< that are trained, in the order of the arena
  bool of_each_;                              ///< a norm for each parameter, or one for all
  std::vector<ExactSum> sums_;
  std::vector<std::int64_t> words_;  ///< of all sums, one after the other
  std::vector<float> scales_;
};

}  // namespace lockstep
