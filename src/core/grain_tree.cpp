#include "src/core/grain_tree.hpp"

#include <algorithm>
#include <bit>

namespace lockstep {
namespace {

void collect(Range subtree, Range part, std::vector<Range>& subtrees) {
  if (subtree.first >= part.last || part.first >= subtree.last) return;
  if (part.first <= subtree.first && subtree.last <= part.last) {
    subtrees.push_back(subtree);
    return;
  }
  const std::int64_t split = tree_split(subtree);
  collect({subtree.first, split}, part, subtrees);
  collect({split, subtree.last}, part, subtrees);
}

}  // namespace

std::int64_t default_grain(std::int64_t batch) {
  const auto grain = static_cast<std::uint64_t>(std::clamp<std::int64_t>(batch / 8, 8, 32));
  return static_cast<std::int64_t>(std::bit_floor(grain));
}

std::int64_t tree_split(Range leaves) {
  const auto count = static_cast<std::uint64_t>(leaves.count());
  return leaves.first + static_cast<std::int64_t>(std::bit_ceil(count) / 2);
}

std::vector<Range> subtrees_within(std::int64_t leaves, Range part) {
  std::vector<Range> subtrees;
  collect({0, leaves}, part, subtrees);
  return subtrees;
}

int tree_merges_after(std::int64_t leaf, std::int64_t leaves) {
  const auto done = static_cast<std::uint64_t>(leaf + 1);
  // The stack holds one subtree for each bit of `done`.
  return leaf + 1 < leaves ? std::countr_zero(done)
                           : std::popcount(static_cast<std::uint64_t>(leaf));
}

void TreeStack::begin(std::int64_t leaves) {
  leaves_ = leaves;
  pushed_ = 0;
  entries_ = 0;
}

void TreeStack::push() {
  ++entries_;
  for (int merges = tree_merges_after(pushed_++, leaves_); merges > 0; --merges) {
    --entries_;
    const std::span<double> lower = entry(entries_ - 1);
    const std::span<double> upper = entry(entries_);
    for (std::size_t i = 0; i < width_; ++i) lower[i] += upper[i];
  }
}

}  // namespace lockstep
