#include "distributed/update/sharded_step.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

const std::vector<std::vector<int>> kHosts = {
    {0}, {0, 0, 0, 0}, {0, 1}, {0, 1, 0, 1}, {0, 0, 0, 1}, {0, 1, 2}, {0, 0, 1, 1, 2}};

TEST(ShardedStep, CompletesTheTreeFromEveryRanksPointOfView) {
  for (const auto& host_of : kHosts)
    for (const std::int64_t rows : {1, 7, 32, 61, 104}) {
      const HostMap map(host_of);
      const StepPlan plan(rows, 8, static_cast<int>(host_of.size()));
      for (int rank = 0; rank < plan.ranks(); ++rank) {
        const ShardedStep step = plan_sharded_step(plan, map, rank);
        std::size_t received = 0;
        for (const auto& source : step.sources) {
          if (source.own)
            EXPECT_LT(source.subtree, step.host_subtrees.size());
          else
            ++received;
        }
        std::size_t sent = 0;
        for (int host = 0; host < map.hosts(); ++host)
          if (host != map.host_of(rank))
            sent += step.subtrees_of_host[static_cast<std::size_t>(host)];
        EXPECT_EQ(received, sent);
      }
    }
}

TEST(ShardedStep, SendsWhatTheOtherHostsExpect) {
  for (const auto& host_of : kHosts) {
    const HostMap map(host_of);
    const StepPlan plan(100, 8, static_cast<int>(host_of.size()));
    for (int rank = 0; rank < plan.ranks(); ++rank)
      for (int other = 0; other < plan.ranks(); ++other)
        EXPECT_EQ(plan_sharded_step(plan, map, rank).host_subtrees.size(),
                  plan_sharded_step(plan, map, other)
                      .subtrees_of_host[static_cast<std::size_t>(map.host_of(rank))]);
  }
}

TEST(ShardedStep, LaysTheRowsOfAHostSideBySide) {
  for (const auto& host_of : kHosts)
    for (const std::int64_t rows : {1, 7, 32, 61, 104}) {
      const HostMap map(host_of);
      const StepPlan plan(rows, 8, static_cast<int>(host_of.size()));
      for (int host = 0; host < map.hosts(); ++host) {
        std::int64_t next = 0;
        for (const int rank : map.ranks_of(host)) {
          const ShardedStep step = plan_sharded_step(plan, map, rank);
          EXPECT_EQ(step.rows, (Range{next, next + plan.rows_of(rank).count()}));
          next = step.rows.last;
        }
        const ShardedStep step = plan_sharded_step(plan, map, map.ranks_of(host)[0]);
        EXPECT_EQ(step.host_rows, (Range{0, next}));
        next = 0;
        for (const Range& subtree : step.host_subtrees) {
          EXPECT_EQ(subtree.first, next);
          next = subtree.last;
        }
        EXPECT_EQ(step.host_rows.last, next);
      }
    }
}

TEST(ShardedStep, AddsUpWithinAHostAsFarAsItsSubtreesGo) {
  const StepPlan plan(64, 8, 4);  // two grains a rank
  const ShardedStep by_slot = plan_sharded_step(plan, HostMap(std::vector{0, 0, 1, 1}), 0);
  EXPECT_EQ(by_slot.subtrees_of_host, (std::vector<std::size_t>{1, 1}));
  const ShardedStep by_turns = plan_sharded_step(plan, HostMap(std::vector{0, 1, 0, 1}), 0);
  EXPECT_EQ(by_turns.subtrees_of_host, (std::vector<std::size_t>{2, 2}));
}

}  // namespace
}  // namespace lockstep
