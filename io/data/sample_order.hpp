#pragma once

#include <cstdint>
#include <vector>

#include "src/core/range.hpp"

namespace lockstep {

/// Which training row stands at which position of an epoch: a pure function of seed, epoch and
/// number of rows, the same on every rank of any number of ranks.
class SampleOrder {
 public:
  /// `rows` >= 1. Not shuffled: the identity.
  SampleOrder(std::int64_t rows, bool shuffle, std::uint64_t seed);

  /// Draws the permutation of an epoch (from 0): Fisher-Yates with counter-based numbers.
  void begin_epoch(std::int64_t epoch);
  std::int64_t row(std::int64_t position) const {
    return shuffle_ ? order_[static_cast<std::size_t>(position)] : position;
  }

 private:
  std::int64_t rows_;
  bool shuffle_;
  std::uint64_t seed_;
  std::vector<std::int64_t> order_;
};

/// floor(rows * (1 - validation_split)) in double, exactly as Keras cuts:
/// rows [0, result) train, [result, rows) validate. Throws Error (64) if either part were empty.
std::int64_t training_rows(std::int64_t rows, double validation_split);

}  // namespace lockstep
