#include "distributed/update/step_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/core/grain_tree.hpp"

namespace lockstep {
namespace {

using testing::ElementsAre;

TEST(StepPlan, GivesEveryRowToOneRankInOrderInWholeGrains) {
  for (const std::int64_t rows : {1, 3, 8, 31, 32, 33, 100})
    for (const std::int64_t grain : {1, 4, 8, 50})
      for (const int ranks : {1, 2, 3, 5, 16}) {
        const StepPlan plan(rows, grain, ranks);
        std::int64_t next = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          const Range own = plan.rows_of(rank);
          EXPECT_EQ(own.first, next);
          EXPECT_TRUE(own.last == rows || own.last % grain == 0);
          next = own.last;
        }
        EXPECT_EQ(next, rows);
      }
}

TEST(StepPlan, CountsSubtreesInRowsFromTheRanksFirst) {
  const StepPlan plan(61, 8, 3);  // 8 grains, the last of 5 rows: [0, 2), [2, 5), [5, 8)
  EXPECT_THAT(plan.subtree_rows(0), ElementsAre(Range{0, 16}));
  EXPECT_THAT(plan.subtree_rows(1), ElementsAre(Range{0, 16}, Range{16, 24}));
  EXPECT_THAT(plan.subtree_rows(2), ElementsAre(Range{0, 8}, Range{8, 21}));
  EXPECT_EQ(plan.first_subtree(2), 3u);
  EXPECT_EQ(plan.all_subtrees().size(), 5u);
}

TEST(StepPlan, OfAFullBatchHasNoMoreRowsThanThereAreAndNoLargerGrain) {
  const StepPlan usual = StepPlan::of_full_batch(128, 1000, 0, 2);
  EXPECT_EQ(usual.rows(), 128);
  EXPECT_EQ(usual.grain(), 16);
  const StepPlan few_rows = StepPlan::of_full_batch(128, 5, 0, 2);
  EXPECT_EQ(few_rows.rows(), 5);
  EXPECT_EQ(few_rows.grain(), 5);
  EXPECT_EQ(StepPlan::of_full_batch(128, 1000, 4, 2).grain(), 4);
}

TEST(StepPlan, KnowsRanksWithoutWork) {
  EXPECT_EQ(StepPlan(32, 8, 4).idle_ranks(), 0);
  EXPECT_EQ(StepPlan(32, 8, 16).idle_ranks(), 12);
  EXPECT_EQ(StepPlan(1, 8, 2).idle_ranks(), 1);
}

}  // namespace
}  // namespace lockstep
