#pragma once

#include <cstdint>
#include <span>

#include "src/core/numerics.hpp"

namespace lockstep {

/// Sums over the global batch in the middle of a pass (of batch norm, of masks): every rank calls
/// add_up() at the same ops of the graph, with rows or without. Called by TrainingPass; made by
/// ShardedBatchSums and MessageSums in distributed/update.
class BatchSums {
 public:
  virtual ~BatchSums() = default;
  /// Where this rank writes what its rows of a subtree add to `width` sums, before add_up().
  virtual std::span<double> of_subtree(std::size_t subtree, std::size_t width) = 0;
  /// totals = the sums over the batch, added by the tree of grains. Collective.
  virtual void add_up(std::span<double> totals) = 0;
};

/// What a pass over a batch needs to know beyond the numbers. Everything random is a function of
/// these values, never of the rank.
struct Pass {
  bool training = false;
  std::uint64_t seed = 0;
  std::int64_t step = 0;        ///< optimizer steps done before this one
  std::int64_t first_row = 0;   ///< position in the global batch of this rank's first row
  std::int64_t batch_rows = 0;  ///< rows of the global batch
  Numerics numerics = Numerics::kExact;
  BatchSums* batch_sums = nullptr;  ///< for graphs that have sums over the batch; in training
  bool writes_state = false;        ///< of the ranks that share the parameters one does
};

}  // namespace lockstep
