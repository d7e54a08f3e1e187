#include "distributed/update/tree_sum.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "src/core/grain_tree.hpp"
#include "src/core/random.hpp"

namespace lockstep {
namespace {

/// Longer than the blocks in which sums are taken.
constexpr std::int64_t kCount = 1500;

/// Every leaf's floats, and the sum over any subtree by the definition.
struct Leaves {
  std::vector<std::vector<float>> values;

  explicit Leaves(std::int64_t count) : values(static_cast<std::size_t>(count)) {
    for (std::size_t leaf = 0; leaf < values.size(); ++leaf) {
      const RandomStream random(3, Purpose::kSynthetic, static_cast<std::uint32_t>(leaf));
      for (std::size_t i = 0; i < kCount; ++i)
        values[leaf].push_back(std::ldexp(2 * random.uniform(i) - 1, static_cast<int>(i % 8)));
    }
  }
  std::vector<float> sum(Range subtree) const {
    if (subtree.count() == 1) return values[static_cast<std::size_t>(subtree.first)];
    const std::int64_t split = tree_split(subtree);
    std::vector<float> left = sum({subtree.first, split});
    const std::vector<float> right = sum({split, subtree.last});
    for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
    return left;
  }
};

TEST(TreeSum, GivesTheRootFromTheSubtreesOfAnyShareOfTheLeaves) {
  for (const std::int64_t count : {1, 2, 3, 4, 7, 8, 13, 16}) {
    const Leaves leaves(count);
    const std::vector<float> root = leaves.sum({0, count});
    for (std::int64_t a = 0; a <= count; ++a)
      for (std::int64_t b = a; b <= count; ++b) {
        std::vector<Range> inputs;
        for (const Range part : {Range{0, a}, Range{a, b}, Range{b, count}})
          for (const Range subtree : subtrees_within(count, part)) inputs.push_back(subtree);
        std::vector<std::vector<float>> sums;
        for (const Range subtree : inputs) sums.push_back(leaves.sum(subtree));
        std::vector<const float*> pointers;
        for (const auto& sum : sums) pointers.push_back(sum.data());
        TreeSum tree(count, inputs);
        std::vector<double> doubles(inputs.size() * 2, 1.0);
        std::vector<double> totals(2);

        float* const result = sums[(inputs.size() - 1) / 2].data();  // in place of an input
        tree.add(pointers, result, kCount);
        tree.add_to_root(doubles, totals);

        for (std::size_t i = 0; i < root.size(); ++i)
          ASSERT_EQ(std::bit_cast<std::uint32_t>(result[i]), std::bit_cast<std::uint32_t>(root[i]))
              << count << " leaves, cut at " << a << " and " << b;
        EXPECT_EQ(totals[1], static_cast<double>(inputs.size()));
      }
  }
}

TEST(TreeSum, AddsDoublesInTheTreesOrder) {
  const std::vector<Range> inputs{{0, 1}, {1, 2}, {2, 3}};
  const std::vector<double> values{1e17, 1, -1e17};  // (1e17 + 1) - 1e17, not 1e17 + (1 - 1e17)
  std::vector<double> total(1);
  TreeSum(3, inputs).add_to_root(values, total);
  EXPECT_EQ(total[0], (1e17 + 1.0) - 1e17);
}

TEST(LargestSubtrees, GoAsFarAsTheInputsReach) {
  const std::vector<Range> inputs{{0, 1}, {1, 2}, {4, 6}, {6, 7}, {7, 8}};  // not 2 and 3
  EXPECT_EQ(largest_subtrees(8, inputs), (std::vector<Range>{{0, 2}, {4, 8}}));
  EXPECT_TRUE(largest_subtrees(8, {}).empty());
}

TEST(TreeSum, RefusesInputsThatAreNotSubtreesOrDoNotCoverTheTree) {
  for (const std::vector<Range>& inputs :
       {std::vector<Range>{{0, 1}, {1, 3}}, {{0, 2}}, {{0, 1}, {2, 3}}, {}})
    EXPECT_THROW(TreeSum(3, inputs), std::logic_error);
}

}  // namespace
}  // namespace lockstep
