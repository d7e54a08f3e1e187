#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/update/distributed_optimizer.hpp"
#include "io/data/batch.hpp"
#include "io/data/sample_order.hpp"

namespace lockstep {

/// Brings a step's rows of the training data, in the order of the epoch, to where the passes read
/// them.
class BatchFeed {
 public:
  /// `scaling`: of every number of x. `most_rows`: of one rank in a step.
  BatchFeed(const ArrayDataset& train, const Scaling& scaling, const Network& model,
            std::int64_t most_rows, bool shuffle, std::uint64_t seed);

  /// Draws the order of a pass over the rows, counted from 0.
  void begin_pass(std::int64_t pass) { order_.begin_epoch(pass); }

  /// For the batch that begins at this position of the pass: fills the optimizer's workspace with
  /// the inputs that this rank reads, asks the memory for the rows of the next batch, and returns
  /// the targets of this rank's rows, valid until the next call.
  Targets load(std::int64_t first, std::int64_t next, const DistributedOptimizer& optimizer);

 private:
  std::span<const std::int64_t> rows_at(Range positions);

  ArrayDataset train_;
  Scaling scaling_;
  SampleOrder order_;
  TargetLoader targets_;
  std::vector<std::int64_t> rows_;
};

}  // namespace lockstep
