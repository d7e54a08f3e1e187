#include "distributed/update/host_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep {
namespace {

using testing::ElementsAre;

/// The host of each rank; any numbers.
const std::vector<std::vector<int>> kPlacements = {
    {0},                    // alone
    {4, 4, 4, 4, 4},        // one host
    {0, 1, 2},              // hosts of one
    {7, 7, 7, 2, 2, 2},     // 2 hosts of 3
    {0, 0, 0, 3},           // 3 + 1
    {5, 9, 9, 9, 9, 9},     // 1 + 5
    {0, 1, 0, 1, 0, 1},     // by turns
    {2, 1, 0, 2, 1, 2, 2},  // by turns, unequal: 4 + 2 + 1
};

Bucket bucket_of(std::int64_t first, std::int64_t floats) {
  return {{first, first + floats}, 0};
}

TEST(HostMap, GivesEveryFloatOfABucketToOneRankOfTheJob) {
  for (const auto& placement : kPlacements) {
    const HostMap map(placement);
    for (const std::int64_t floats : {0, 1, 4096, 4097, 9000, 100'000}) {
      const Bucket bucket = bucket_of(64, floats);
      std::vector<Range> pieces;
      for (int host = 0; host < map.hosts(); ++host)
        for (int shard = 0; shard < map.shards(); ++shard)
          pieces.push_back(map.piece(bucket, shard, host));
      std::erase_if(pieces, [](const Range& piece) { return piece.count() == 0; });
      std::ranges::sort(pieces, {}, &Range::first);
      std::int64_t next = bucket.floats.first;
      for (const Range& piece : pieces) {
        EXPECT_EQ(piece.first, next) << testing::PrintToString(placement);
        next = piece.last;
      }
      EXPECT_EQ(next, bucket.floats.last) << testing::PrintToString(placement);
    }
  }
}

TEST(HostMap, LetsARankOfTheHostHandleEachShard) {
  for (const auto& placement : kPlacements) {
    const HostMap map(placement);
    for (int host = 0; host < map.hosts(); ++host) {
      std::vector<int> shards_of(placement.size());
      for (int shard = 0; shard < map.shards(); ++shard) {
        const int owner = map.owner(host, shard);
        EXPECT_EQ(map.host_of(owner), host) << testing::PrintToString(placement);
        ++shards_of.at(static_cast<std::size_t>(owner));
      }
      // None without a shard, none with two more than another.
      const std::span<const int> ranks = map.ranks_of(host);
      const int least = map.shards() / static_cast<int>(ranks.size());
      for (const int rank : ranks) {
        EXPECT_GE(shards_of[static_cast<std::size_t>(rank)], std::max(least, 1));
        EXPECT_LE(shards_of[static_cast<std::size_t>(rank)], least + 1);
      }
    }
  }
}

TEST(HostMap, PutsEveryRankOnItsHostOnce) {
  for (const auto& placement : kPlacements) {
    const HostMap map(placement);
    int most = 0;
    std::vector<int> all;
    for (int host = 0; host < map.hosts(); ++host) {
      const std::span<const int> ranks = map.ranks_of(host);
      EXPECT_TRUE(std::ranges::is_sorted(ranks));
      most = std::max(most, static_cast<int>(ranks.size()));
      for (std::size_t place = 0; place < ranks.size(); ++place) {
        EXPECT_EQ(map.host_of(ranks[place]), host);
        EXPECT_EQ(map.place_of(ranks[place]), static_cast<int>(place));
        EXPECT_EQ(placement[static_cast<std::size_t>(ranks[place])],
                  placement[static_cast<std::size_t>(ranks[0])]);
        all.push_back(ranks[place]);
      }
    }
    EXPECT_EQ(map.shards(), most);
    std::ranges::sort(all);
    ASSERT_EQ(all.size(), placement.size());
    for (std::size_t rank = 0; rank < all.size(); ++rank)
      EXPECT_EQ(all[rank], static_cast<int>(rank));
  }
}

TEST(HostMap, NumbersHostsByTheirFirstRanks) {
  const HostMap map(std::vector{9, 2, 9, 2, 5});
  EXPECT_EQ(map.hosts(), 3);
  EXPECT_THAT(map.ranks_of(0), ElementsAre(0, 2));
  EXPECT_THAT(map.ranks_of(1), ElementsAre(1, 3));
  EXPECT_THAT(map.ranks_of(2), ElementsAre(4));
  EXPECT_EQ(map.shards(), 2);
  EXPECT_EQ(map.owner(1, 1), 3);
  EXPECT_EQ(map.owner(2, 1), 4);
}

}  // namespace
}  // namespace lockstep
