#include "launch/commands/next_token.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// How often each number comes, for chances spread evenly.
std::vector<double> shares(const std::vector<float>& outputs, bool probabilities,
                           const Sampling& sampling) {
  constexpr int kDraws = 10'000;
  std::vector<double> share(outputs.size());
  for (int i = 0; i < kDraws; ++i)
    share[static_cast<std::size_t>(
        next_token(outputs, probabilities, 1, sampling, (i + 0.5) / kDraws))] += 1.0 / kDraws;
  return share;
}

void expect_shares(const std::vector<double>& share, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(share[i], expected[i], 2e-4) << i;
}

TEST(NextToken, FollowsTheProbabilitiesOfWhatMayCome) {
  expect_shares(shares({0.5F, 0.1F, 0.3F, 0.0F, 0.1F}, true, {}), {0, 0.2, 0.6, 0, 0.2});
}

TEST(NextToken, TakesLogitsAsTheyAre) {
  const float log2 = std::log(2.0F);
  expect_shares(shares({9, 0, log2, 2 * log2}, false, {}), {0, 1 / 7.0, 2 / 7.0, 4 / 7.0});
}

TEST(NextToken, SharpensByTemperature) {
  expect_shares(shares({0, 0.2F, 0.4F, 0.4F}, true, {.temperature = 0.5}),
                {0, 1 / 9.0, 4 / 9.0, 4 / 9.0});
  expect_shares(shares({0, 0.2F, 0.3F, 0.5F}, true, {.temperature = 0}), {0, 0, 0, 1});
  expect_shares(shares({0, 0.2F, 0.3F, 0.5F}, true, {.temperature = 1e-300}), {0, 0, 0, 1});
}

TEST(NextToken, KeepsTheLikeliestAndOfEqualsTheLowest) {
  expect_shares(shares({0.3F, 0.1F, 0.2F, 0.2F, 0.2F}, true, {.top_k = 2}), {0, 0, 0.5, 0.5, 0});
  expect_shares(shares({0.3F, 0.1F, 0.2F, 0.4F}, true, {.top_k = 99}),
                {0, 1 / 7.0, 2 / 7.0, 4 / 7.0});
}

TEST(NextToken, RefusesOutputsThatAreNotFinite) {
  const std::vector<float> bad = {0, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(next_token(bad, true, 1, {}, 0.5), Error);
  const std::vector<float> none = {1, 0, 0};
  EXPECT_THROW(next_token(none, true, 1, {}, 0.5), Error);
}

}  // namespace
}  // namespace lockstep
