#include "src/core/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The counter is (index, major, purpose << 24 | minor), the key is the seed: Random123's own
// known-answer vectors of philox4x32-10 can be asked for through the interface.
TEST(RandomStream, GivesRandom123sKnownAnswers) {
  EXPECT_EQ(RandomStream(0, Purpose{0}, 0, 0).words(0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(RandomStream(~0ull, Purpose{0xff}, ~0u, 0xffffff).words(~0ull),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      RandomStream(0x299f31d0a4093822, Purpose{3}, 0x13198a2e, 0x707344).words(0x85a308d3243f6a88),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DependsOnEveryPartOfItsKey) {
  const Words words = RandomStream(1, Purpose::kDropout, 2, 3).words(4);
  EXPECT_EQ(RandomStream(1, Purpose::kDropout, 2, 3).words(4), words);
  EXPECT_NE(RandomStream(2, Purpose::kDropout, 2, 3).words(4), words);
  EXPECT_NE(RandomStream(1ull << 32 | 1, Purpose::kDropout, 2, 3).words(4), words);
  EXPECT_NE(RandomStream(1, Purpose::kShuffle, 2, 3).words(4), words);
  EXPECT_NE(RandomStream(1, Purpose::kDropout, 3, 3).words(4), words);
  EXPECT_NE(RandomStream(1, Purpose::kDropout, 2, 4).words(4), words);
  EXPECT_NE(RandomStream(1, Purpose::kDropout, 2, 3).words(1ull << 32 | 4), words);
}

TEST(RandomStream, RefusesAMinorThatWouldReachIntoThePurpose) {
  expect_error(
      ExitCode::kBadData, [] { RandomStream(0, Purpose::kDropout, 0, 1 << 24); },
      testing::HasSubstr("below 2^24, got 16777216"));
}

TEST(RandomStream, UniformTakesTheFourWordsOfAnIndexInTurn) {
  const RandomStream random(7, Purpose::kSynthetic, 0);
  for (std::uint64_t i = 0; i < 40; ++i) {
    const float expected = std::ldexp(static_cast<float>(random.words(i / 4)[i % 4] >> 8), -24);
    EXPECT_EQ(random.uniform(i), expected);
    EXPECT_GE(random.uniform(i), 0.0f);
    EXPECT_LT(random.uniform(i), 1.0f);
  }
}

TEST(RandomStream, UniformHasTheMomentsOfItsDistribution) {
  const RandomStream random(11, Purpose::kSynthetic, 0);
  constexpr int kCount = 100000;
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double x = random.uniform(i);
    sum += x;
    squares += x * x;
  }
  // Five standard errors.
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kCount));
}

TEST(RandomStream, NormalHasTheMomentsOfItsDistribution) {
  const RandomStream random(13, Purpose::kInitializer, 0);
  constexpr int kCount = 100000;
  std::array<double, 5> moments{};
  double neighbours = 0;
  double previous = random.normal(kCount);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double x = random.normal(i);
    ASSERT_TRUE(std::isfinite(x));
    for (int k = 1; k <= 4; ++k) moments[static_cast<std::size_t>(k)] += std::pow(x, k) / kCount;
    neighbours += x * previous / kCount;
    previous = x;
  }
  EXPECT_NEAR(moments[1], 0, 0.016);
  EXPECT_NEAR(moments[2], 1, 0.023);
  EXPECT_NEAR(moments[3], 0, 0.062);
  EXPECT_NEAR(moments[4], 3, 0.16);
  EXPECT_NEAR(neighbours, 0, 0.016);
}

TEST(RandomStream, BelowStaysBelowItsBoundAndReachesEveryNumber) {
  const RandomStream random(17, Purpose::kShuffle, 5);
  std::vector<int> counts(7);
  for (std::uint64_t i = 0; i < 7000; ++i) {
    const std::uint64_t x = random.below(7, i);
    ASSERT_LT(x, 7u);
    ++counts[x];
    EXPECT_EQ(random.below(1, i), 0u);
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(RandomStream, BelowIsTheHighHalfOf64BitsTimesTheBound) {
  const RandomStream random(19, Purpose::kShuffle, 0);
  const Words words = random.words(3);
  EXPECT_EQ(random.below(1ull << 32, 6), words[1]);
  EXPECT_EQ(random.below(1ull << 32, 7), words[3]);
  EXPECT_EQ(random.below(1ull << 63, 6), (std::uint64_t{words[1]} << 32 | words[0]) >> 1);
}

}  // namespace
}  // namespace lockstep
