#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "src/kernels/kernels.hpp"

namespace lockstep {

/// The sum of a few columns of rows, grain by grain, grains by the tree (src/core/grain_tree.hpp):
/// those without a row are left out, since to add their 0 changes nothing.
class SparseTreeSum {
 public:
  static constexpr std::int64_t kTogether = 64;

  explicit SparseTreeSum(std::int64_t count) : count_(count) {}

  /// Ascending; the same again for a further chain that is added to the leaf.
  void begin_leaf(std::int64_t leaf) {
    while (entries_ > 1 && (height(entries_ - 1) == 0 ||
                            height(entries_ - 1) < height_over(leaves_[entries_ - 1], leaf)))
      merge();
    leaves_[entries_] = leaf;
    stack_[entries_++].fill(0);
  }
  void add(const float* row) {
    float* const sums = stack_[entries_ - 1].data();
    kernels().sum(sums, row, sums, count_);
  }
  const float* finish() {
    while (entries_ > 1) merge();
    return stack_[0].data();
  }

 private:
  static constexpr std::size_t kDeepest = 66;

  /// Two leaves' nearest common node is as high as the highest bit in which they differ.
  static int height_over(std::int64_t a, std::int64_t b) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(a ^ b)));
  }
  int height(std::size_t entry) const { return height_over(leaves_[entry - 1], leaves_[entry]); }
  void merge() {
    --entries_;
    float* const lower = stack_[entries_ - 1].data();
    kernels().sum(lower, stack_[entries_].data(), lower, count_);
  }

  std::int64_t count_;
  std::size_t entries_ = 0;
  std::array<std::int64_t, kDeepest> leaves_;
  std::array<std::array<float, kTogether>, kDeepest> stack_;
};

}  // namespace lockstep
