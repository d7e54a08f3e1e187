#include "launch/train/rate_expression.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(RateExpression, IsAFunctionOfEpochAndRate) {
  const auto rate = rate_expression("epoch < 2 ? 0.5 : rate * 0.5 ^ floor(epoch / 2)");
  EXPECT_EQ(rate(0, 3), 0.5);
  EXPECT_EQ(rate(3, 3), 1.5);
  EXPECT_EQ(rate(5, 8), 2.0);
}

TEST(RateExpression, CopiesShareNothingThatIsSeen) {
  const auto rate = rate_expression("rate + epoch");
  const auto copy = rate;
  EXPECT_EQ(rate(1, 2), 3.0);
  EXPECT_EQ(copy(3, 4), 7.0);
  EXPECT_EQ(rate(1, 2), 3.0);
}

}  // namespace
}  // namespace lockstep
