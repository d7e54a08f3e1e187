#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "src/core/range.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// Clipping by norms (Keras's clipnorm, of each parameter, and global_clipnorm, of all together),
/// and the trust ratios of LAMB and LARS. No rank need have a whole gradient: each adds the squares
/// of what it owns. The sums are exact, and so the same however the gradients are cut into buckets
/// and shards.
class GradientNorms {
 public:
  /// The references must outlive this object.
  GradientNorms(const Network& model, const Objective& objective);

  /// After the optimizer's begin_step(): whether this step's update waits for norms.
  bool wanted() const { return clips() || wants_ratios(); }
  bool clips() const { return objective_.optimizer().clips_norms(); }
  bool wants_ratios() const { return objective_.optimizer().wants_ratios(); }
  void begin_step();
  /// Of `floats` of the arena, whose gradients are complete. Each float once on one rank.
  void add(const UpdateSpan& span, Range floats);
  /// When this rank has added all that it owns. Collective.
  void exchange(const Communicator& communicator);

  /// If ratios are wanted, when the norms are known: the first half of the update.
  void begin_update(const UpdateSpan& span, Range floats);
  /// When this has been done for all that this rank owns. Collective.
  void exchange_ratios(const Communicator& communicator);
  /// The same where each rank does it for all floats.
  void take_ratios();

  /// The optimizer's update, clipped if this is wanted, by the ratios if these are.
  void update(const UpdateSpan& span, Range floats) const;

 private:
  template <class Piece>
  void for_parameters(const UpdateSpan& span, Range floats, const Piece& piece) const;
  float scale_of(std::size_t parameter) const;

  const Objective& objective_;
  std::vector<const Parameter*> parameters_;  ///< that are trained, in the order of the arena
  bool of_each_;                              ///< a norm for each parameter, or one for all
  std::vector<ExactSum> sums_;
  std::vector<std::int64_t> words_;  ///< of all sums, one after the other
  std::vector<float> scales_;
  std::vector<Optimizer::TrustSums> trust_;  ///< by parameter
  std::vector<float> ratios_;
  std::vector<ExactSum*> exchanged_;
};

}  // namespace lockstep
