#include "distributed/update/tree_sum.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "src/core/grain_tree.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// Floats that are added up at a time, so that partial sums stay in the first-level cache.
constexpr std::int64_t kBlock = 1024;
/// More entries than the stack can have: it is as deep as the tree.
constexpr std::size_t kDeepest = 66;

bool covers(std::span<const Range> inputs, Range subtree) {
  std::int64_t leaves = 0;
  for (const Range& input : inputs)
    leaves += std::max<std::int64_t>(
        0, std::min(input.last, subtree.last) - std::max(input.first, subtree.first));
  return leaves == subtree.count();
}

/// The largest subtrees below `subtree` that the inputs cover.
void find_covered(std::span<const Range> inputs, Range subtree, std::vector<Range>& found) {
  if (covers(inputs, subtree)) {
    found.push_back(subtree);
  } else if (subtree.count() > 1) {
    const std::int64_t split = tree_split(subtree);
    find_covered(inputs, {subtree.first, split}, found);
    find_covered(inputs, {split, subtree.last}, found);
  }
}

/// Walks the tree from the left; an input ends the walk down, every inner subtree adds.
void plan_merges(std::span<const Range> inputs, Range subtree, std::vector<int>& merges) {
  if (merges.size() < inputs.size() && inputs[merges.size()] == subtree) {
    merges.push_back(0);
    return;
  }
  if (subtree.count() < 2)
    throw std::logic_error("tree sum: the inputs are no subtrees of the tree");
  const std::int64_t split = tree_split(subtree);
  plan_merges(inputs, {subtree.first, split}, merges);
  plan_merges(inputs, {split, subtree.last}, merges);
  ++merges.back();
}

}  // namespace

std::vector<Range> largest_subtrees(std::int64_t leaves, std::span<const Range> inputs) {
  std::vector<Range> found;
  find_covered(inputs, {0, leaves}, found);
  return found;
}

TreeSum::TreeSum(std::int64_t leaves, std::span<const Range> inputs) {
  plan_merges(inputs, {0, leaves}, merges_);
  std::size_t depth = 0;
  std::size_t entries = 0;
  for (const int merges : merges_) {
    depth = std::max(depth, ++entries);
    entries -= static_cast<std::size_t>(merges);
  }
  scratch_ = FloatBuffer(static_cast<std::int64_t>(depth) * kBlock);
}

void TreeSum::add(std::span<const float* const> inputs, float* sum, std::int64_t count) {
  if (inputs.size() == 1) {
    if (inputs[0] != sum) std::copy_n(inputs[0], count, sum);
    return;
  }
  const auto scratch = [this](std::size_t entry) {
    return scratch_.span().data() + static_cast<std::int64_t>(entry) * kBlock;
  };
  // An entry of the stack is an input, or a partial sum in the entry's own scratch block.
  std::array<const float*, kDeepest> stack{};
  for (std::int64_t first = 0; first < count; first += kBlock) {
    const std::int64_t length = std::min(kBlock, count - first);
    std::size_t entries = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      stack[entries++] = inputs[i] + first;
      for (int merge = 0; merge < merges_[i]; ++merge) {
        --entries;
        const bool last = i + 1 == inputs.size() && entries == 1;
        float* const to = last ? sum + first : scratch(entries - 1);
        kernels().sum(stack[entries - 1], stack[entries], to, length);
        stack[entries - 1] = to;
      }
    }
  }
}

void TreeSum::add_to_root(std::span<const double> inputs, std::span<double> sums) const {
  for (std::size_t number = 0; number < sums.size(); ++number) {
    std::array<double, kDeepest> stack{};
    std::size_t entries = 0;
    for (std::size_t i = 0; i < merges_.size(); ++i) {
      stack[entries++] = inputs[i * sums.size() + number];
      for (int merge = 0; merge < merges_[i]; ++merge, --entries)
        stack[entries - 2] += stack[entries - 1];
    }
    sums[number] = stack[0];
  }
}

}  // namespace lockstep
