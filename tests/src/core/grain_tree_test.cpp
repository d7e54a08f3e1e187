#include "src/core/grain_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

using testing::ElementsAre;

std::string leaf_name(std::int64_t leaf) {
  return std::to_string(leaf);
}

/// The sum over the leaves as the definition nests it.
std::string by_definition(Range leaves) {
  if (leaves.count() == 1) return leaf_name(leaves.first);
  const std::int64_t split = tree_split(leaves);
  return "(" + by_definition({leaves.first, split}) + "+" + by_definition({split, leaves.last}) +
         ")";
}

/// The same by the stack.
std::string by_stack(Range leaves) {
  std::vector<std::string> stack;
  for (std::int64_t leaf = 0; leaf < leaves.count(); ++leaf) {
    stack.push_back(leaf_name(leaves.first + leaf));
    for (int merges = tree_merges_after(leaf, leaves.count()); merges > 0; --merges) {
      const std::string upper = stack.back();
      stack.pop_back();
      stack.back() = "(" + stack.back() + "+" + upper + ")";
    }
  }
  EXPECT_EQ(stack.size(), 1u);
  return stack.back();
}

TEST(GrainTree, SplitsAtTheLargestPowerOfTwoBelowTheCount) {
  EXPECT_EQ(tree_split({0, 2}), 1);
  EXPECT_EQ(tree_split({0, 3}), 2);
  EXPECT_EQ(tree_split({0, 4}), 2);
  EXPECT_EQ(tree_split({10, 15}), 14);
  EXPECT_EQ(by_definition({0, 7}), "(((0+1)+(2+3))+((4+5)+6))");
}

TEST(GrainTree, IsWhatTheStackAddsUp) {
  for (std::int64_t leaves = 1; leaves <= 70; ++leaves)
    EXPECT_EQ(by_stack({0, leaves}), by_definition({0, leaves}));
}

TEST(GrainTree, GivesTheLargestSubtreesOfAPart) {
  EXPECT_THAT(subtrees_within(8, {0, 8}), ElementsAre(Range{0, 8}));
  EXPECT_THAT(subtrees_within(8, {2, 5}), ElementsAre(Range{2, 4}, Range{4, 5}));
  EXPECT_THAT(subtrees_within(8, {1, 3}), ElementsAre(Range{1, 2}, Range{2, 3}));
  EXPECT_THAT(subtrees_within(7, {4, 7}), ElementsAre(Range{4, 7}));
  EXPECT_THAT(subtrees_within(5, {3, 3}), ElementsAre());
  EXPECT_THAT(subtrees_within(0, {0, 0}), ElementsAre());
}

TEST(GrainTree, CoversEveryPartOnce) {
  for (std::int64_t leaves = 1; leaves <= 33; ++leaves)
    for (std::int64_t first = 0; first <= leaves; ++first)
      for (std::int64_t last = first; last <= leaves; ++last) {
        std::int64_t next = first;
        for (const Range& subtree : subtrees_within(leaves, {first, last})) {
          EXPECT_EQ(subtree.first, next);
          next = subtree.last;
        }
        EXPECT_EQ(next, last);
      }
}

TEST(GrainTree, KeepsTheShapeOfASubtreeWhereverItStands) {
  for (const Range& subtree : subtrees_within(100, {3, 90})) {
    if (subtree.count() == 1) continue;
    EXPECT_EQ(tree_split(subtree) - subtree.first, tree_split({0, subtree.count()}));
  }
}

TEST(GrainTree, GrainsAreAnEighthOfTheBatchWithinLimits) {
  EXPECT_EQ(default_grain(1), 8);
  EXPECT_EQ(default_grain(32), 8);
  EXPECT_EQ(default_grain(64), 8);
  EXPECT_EQ(default_grain(100), 8);
  EXPECT_EQ(default_grain(128), 16);
  EXPECT_EQ(default_grain(256), 32);
  EXPECT_EQ(default_grain(1024), 32);
  EXPECT_EQ(default_grain(1 << 20), 32);
}

}  // namespace
}  // namespace lockstep
