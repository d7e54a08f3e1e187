#include "io/table/split_rows.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using testing::ElementsAre;
using testing::SizeIs;

std::vector<std::size_t> all_rows(std::size_t count) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

std::map<std::int64_t, std::size_t> counts_of(const std::vector<std::size_t>& rows,
                                              const std::vector<std::int64_t>& classes) {
  std::map<std::int64_t, std::size_t> counts;
  for (const std::size_t row : rows) ++counts[classes[row]];
  return counts;
}

TEST(DrawRows, TakesTheSameShareOfEveryClassWhateverTheirOrder) {
  for (const bool sorted : {true, false}) {
    std::vector<std::int64_t> classes;
    for (std::int64_t i = 0; i < 120; ++i) classes.push_back(sorted ? i / 40 : i % 3);
    const RowParts parts = draw_rows(all_rows(120), classes, 0.25, 7);
    EXPECT_THAT(parts.drawn, SizeIs(30));
    EXPECT_EQ(counts_of(parts.drawn, classes),
              (std::map<std::int64_t, std::size_t>{{0, 10}, {1, 10}, {2, 10}}));
    EXPECT_TRUE(std::is_sorted(parts.kept.begin(), parts.kept.end()));
    EXPECT_TRUE(std::is_sorted(parts.drawn.begin(), parts.drawn.end()));
  }
}

TEST(DrawRows, LeavesEveryClassARowAndRoundsByTheLargestRemainders) {
  const std::vector<std::int64_t> classes = {5, 5, 5, 5, 5, 7, 7, 7, 9};
  for (const double fraction : {0.1, 0.3, 0.5, 0.9, 0.99}) {
    const RowParts parts = draw_rows(all_rows(9), classes, fraction, 0);
    EXPECT_EQ(counts_of(parts.kept, classes).size(), 3U) << fraction;
    EXPECT_FALSE(parts.drawn.empty());
    EXPECT_EQ(parts.kept.size() + parts.drawn.size(), 9U);
  }
}

TEST(DrawRows, IsAFunctionOfTheSeed) {
  const auto drawn = [](std::uint64_t seed) {
    return draw_rows(all_rows(50), {}, 0.2, seed).drawn;
  };
  EXPECT_EQ(drawn(3), drawn(3));
  EXPECT_NE(drawn(3), drawn(4));
  EXPECT_THAT(drawn(3), SizeIs(10));
  // These bits are promised from version to version.
  EXPECT_THAT(draw_rows(all_rows(8), {}, 0.5, 0).drawn, ElementsAre(2, 3, 5, 7));
}

TEST(DrawRows, DrawsFarFromEvenlySpacedRows) {
  const std::vector<std::size_t> drawn = draw_rows(all_rows(1000), {}, 0.5, 1).drawn;
  const auto in_front = std::count_if(drawn.begin(), drawn.end(), [](auto i) { return i < 500; });
  EXPECT_GT(in_front, 200);
  EXPECT_LT(in_front, 300);
}

TEST(CutLastRows, CutsAsKerasDoes) {
  const RowParts parts = cut_last_rows(all_rows(5), 0.4);
  EXPECT_THAT(parts.kept, ElementsAre(0, 1, 2));
  EXPECT_THAT(parts.drawn, ElementsAre(3, 4));
  expect_error(ExitCode::kUsage, {"two rows"}, [] { draw_rows(all_rows(1), {}, 0.5, 0); });
}

}  // namespace
}  // namespace lockstep
