#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "src/core/range.hpp"
#include "src/graph/gradient_plan.hpp"

namespace lockstep {

/// A run of the gradients that travels together: it may leave as soon as backward is through with
/// op `last_op` and all later ones.
struct Bucket {
  Range floats;             ///< of the arena's gradients
  std::size_t last_op = 0;  ///< the first op that uses one of its parameters
};

/// Cuts the gradients, from their end (backward ends with the first op), into buckets of at most
/// `bucket_floats`, whole parameters each, with the gaps behind them. Every float of a parameter
/// that is trained is in exactly one bucket, no float of another is in any; those of kTouched are
/// in none. At least one bucket, which is empty if nothing is trained; an empty one more at the end
/// where there are tables, to be had when backward is through with all ops. A pure function.
std::vector<Bucket> plan_buckets(const GradientPlan& gradients, std::int64_t bucket_floats);

/// The part of a range of floats that part `part` of `parts` owns: whole blocks of 256 floats, as
/// evenly as they go. May be empty.
Range shard_of(Range floats, int part, int parts);

/// Tags of messages: about the loss sums, about sums over the batch, and about a bucket. MPI
/// promises tags up to 32767 only; messages of one tag arrive in order.
inline constexpr int kLossSumsTag = 0;
inline constexpr int kBatchSumsTag = 1;
int tag_of(std::size_t bucket);

/// `count` of the floats, from `first` on.
std::span<float> part_of(std::span<float> floats, std::int64_t first, std::int64_t count);

}  // namespace lockstep
