#include "src/core/range.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace lockstep {
namespace {

TEST(Share, PartitionsEveryCountAmongEveryNumberOfParts) {
  for (std::int64_t count = 0; count <= 40; ++count) {
    for (std::int64_t parts = 1; parts <= 40; ++parts) {
      std::int64_t next = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const Range range = share(count, part, parts);
        ASSERT_EQ(range.first, next);
        ASSERT_EQ(range.first, part * count / parts);
        ASSERT_GE(range.count(), count / parts);
        ASSERT_LE(range.count(), (count + parts - 1) / parts);
        next = range.last;
      }
      ASSERT_EQ(next, count) << count << " among " << parts;
    }
  }
}

TEST(Share, DoesNotOverflow) {
  constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(share(kMany, 999'999, 1'000'000).last, kMany);
  EXPECT_EQ(share(kMany, 1, 2).first, kMany / 2);
}

TEST(Hull, HoldsBothAndNothingOfAnEmptyOne) {
  EXPECT_EQ(hull({2, 4}, {7, 9}), (Range{2, 9}));
  EXPECT_EQ(hull({7, 9}, {2, 8}), (Range{2, 9}));
  EXPECT_EQ(hull({5, 5}, {7, 9}), (Range{7, 9}));
  EXPECT_EQ(hull({7, 9}, {}), (Range{7, 9}));
}

}  // namespace
}  // namespace lockstep
