#pragma once

#include <algorithm>
#include <array>

#include "src/core/grain_tree.hpp"

namespace lockstep {

/// Gradients that are sums over rows, by loops that an op brings: of each subtree, grain by grain
/// (samples in order), grains by the tree. `leaf(samples, elements, sums)` adds what the samples of
/// a grain contribute to at most 64 elements, which begin at zero, in order.
template <class Leaf>
void sum_grains(const Subtrees& subtrees, Range elements, float* out, const Leaf& leaf) {
  constexpr std::int64_t kTogether = 64;
  constexpr std::size_t kDeepest = 66;
  std::array<std::array<float, kTogether>, kDeepest> stack;
  for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, out += subtrees.stride) {
    const Range samples = subtrees.samples[subtree];
    const std::int64_t grains = subtrees.grains(subtree);
    for (std::int64_t at = elements.first; at < elements.last; at += kTogether) {
      const Range some{at, std::min(at + kTogether, elements.last)};
      const auto count = static_cast<std::size_t>(some.count());
      std::size_t entries = 0;
      stack[0].fill(0);  // without grains
      for (std::int64_t grain = 0; grain < grains; ++grain) {
        const std::int64_t first = samples.first + grain * subtrees.grain;
        stack[entries].fill(0);
        leaf(Range{first, std::min(first + subtrees.grain, samples.last)}, some,
             stack[entries++].data());
        for (int merges = tree_merges_after(grain, grains); merges > 0; --merges) {
          --entries;
          for (std::size_t j = 0; j < count; ++j) stack[entries - 1][j] += stack[entries][j];
        }
      }
      std::copy_n(stack[0].data(), count, out + at - elements.first);
    }
  }
}

}  // namespace lockstep
