#include "src/core/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "src/core/random.hpp"

namespace lockstep {
namespace {

TEST(ExactSum, IsTheSumOfSquares) {
  ExactSum sum;
  EXPECT_EQ(sum.value(), 0);
  for (const float x : {3.0f, -4.0f, 0.0f, -0.0f, 0.5f}) sum.add_square(x);
  EXPECT_EQ(sum.value(), 25.25);
}

TEST(ExactSum, HoldsTheLargestAndTheSmallestTogether) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kSmallest = std::numeric_limits<float>::min();
  ExactSum sum;
  sum.add_square(kLargest);
  sum.add_square(kSmallest);
  EXPECT_EQ(sum.value(), static_cast<double>(kLargest) * kLargest);
  ExactSum minus_the_largest;
  minus_the_largest.add_square(kLargest);
  for (std::size_t i = 0; i < ExactSum::kWords; ++i) sum.words()[i] -= minus_the_largest.words()[i];
  EXPECT_EQ(sum.value(), static_cast<double>(kSmallest) * kSmallest);
}

TEST(ExactSum, DoesNotDependOnOrderOrParts) {
  const RandomStream random(3, Purpose::kSynthetic, 0);
  std::vector<float> terms;
  for (std::uint64_t i = 0; i < 10000; ++i)
    terms.push_back(static_cast<float>(random.normal(i) * std::exp(10 * random.normal(i + 20000))));
  ExactSum whole;
  long double expected = 0;
  for (const float x : terms) {
    whole.add_square(x);
    expected += static_cast<long double>(x) * static_cast<long double>(x);
  }
  EXPECT_NEAR(whole.value() / static_cast<double>(expected), 1, 1e-14);
  std::ranges::sort(terms);
  ExactSum parts[3];
  for (std::size_t i = 0; i < terms.size(); ++i) parts[i % 3].add_square(terms[i]);
  for (ExactSum& part : parts) part.normalize();
  for (std::size_t i = 0; i < ExactSum::kWords; ++i)
    parts[0].words()[i] += parts[1].words()[i] + parts[2].words()[i];
  EXPECT_EQ(parts[0].value(), whole.value());
}

TEST(ExactSum, OfWhatIsNotFiniteIsNotANumber) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    ExactSum sum;
    sum.add_square(1);
    sum.add_square(bad);
    EXPECT_TRUE(std::isnan(sum.value()));
  }
}

}  // namespace
}  // namespace lockstep
