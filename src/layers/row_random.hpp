#pragma once

#include <cstdint>
#include <span>

#include "src/core/random.hpp"
#include "src/graph/pass.hpp"

namespace lockstep {

/// The random numbers of one use of a layer in one step. Each row of the global batch starts a new
/// block of the stream's words.
class RowRandom {
 public:
  RowRandom(const Pass& pass, Purpose purpose, std::uint32_t key)
      : stream_(pass.seed, purpose, static_cast<std::uint32_t>(pass.step), key) {}

  /// Each element is 0 with probability `rate`, else `scale`. `row`: of the global batch.
  void mask(std::int64_t row, double rate, float scale, std::span<float> to) const;
  /// Normal numbers.
  void normals(std::int64_t row, double mean, double stddev, std::span<float> to) const;

 private:
  RandomStream stream_;
};

}  // namespace lockstep
