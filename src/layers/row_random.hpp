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
  /// Parts of a layer that draw numbers of their own: `part` is below.
  static constexpr std::uint32_t kParts = 256;

  RowRandom(const Pass& pass, Purpose purpose, std::uint32_t key, std::uint32_t part = 0)
      : stream_(pass.seed, purpose, static_cast<std::uint32_t>(pass.step), key),
        first_(static_cast<std::uint64_t>(part) << 56) {}

  /// Each element is 0 with probability `rate`, else `scale`. `row`: of the global batch.
  void mask(std::int64_t row, double rate, float scale, std::span<float> to) const;
  /// Normal numbers.
  void normals(std::int64_t row, double mean, double stddev, std::span<float> to) const;

 private:
  RandomStream stream_;
  std::uint64_t first_;  ///< of its part of the stream's words
};

}  // namespace lockstep
