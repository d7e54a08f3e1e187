#include "io/data/sample_order.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "src/core/error.hpp"
#include "src/core/random.hpp"

namespace lockstep {

SampleOrder::SampleOrder(std::int64_t rows, bool shuffle, std::uint64_t seed)
    : rows_(rows), shuffle_(shuffle), seed_(seed) {
  check(rows >= 1, ExitCode::kBadData, "[sample order] expected at least one row, got {}", rows);
  if (!shuffle_) return;
  order_.resize(static_cast<std::size_t>(rows));
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
}

void SampleOrder::begin_epoch(std::int64_t epoch) {
  if (!shuffle_) return;
  check(epoch >= 0 && epoch <= std::numeric_limits<std::uint32_t>::max(), ExitCode::kUsage,
        "[sample order] expected an epoch in [0, 2^32), got {}", epoch);
  const RandomStream stream(seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch));
  // From the identity, not from the last epoch's order: an epoch depends on no other one.
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  for (std::size_t last = order_.size() - 1; last > 0; --last) {
    std::swap(order_[last], order_[stream.below(last + 1, last)]);
  }
}

std::int64_t training_rows(std::int64_t rows, double validation_split) {
  if (validation_split == 0) return rows;  // no validation: nothing is cut
  check(validation_split > 0 && validation_split < 1, ExitCode::kUsage,
        "[validation split] expected a number in [0, 1), got {}", validation_split);
  const auto result =
      static_cast<std::int64_t>(std::floor(static_cast<double>(rows) * (1.0 - validation_split)));
  check(result > 0 && result < rows, ExitCode::kUsage,
        "[validation split] expected rows for training and for validation, got {} and {} from a "
        "split of {} rows by {}",
        result, rows - result, rows, validation_split);
  return result;
}

}  // namespace lockstep
