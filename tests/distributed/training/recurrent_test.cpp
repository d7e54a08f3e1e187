#include "src/layers/recurrent.hpp"

#include "tests/support/over_ranks.hpp"

namespace lockstep {
namespace {

/// Gradients by rows, whatever the host.
constexpr const char* kLong =
    "Input((9, 4)), LSTM(5, return_sequences=True, recurrent_dropout=0.3), "
    "GRU(6, return_sequences=True, go_backwards=True, dropout=0.2), "
    "GRU(4, return_sequences=True, reset_after=False), "
    "Bidirectional(SimpleRNN(7, dropout=0.1)), Dense(3, softmax)";
/// More parameters than what is kept: gradients by owners.
constexpr const char* kWide =
    "Input((1, 80)), LSTM(64, return_sequences=True), GRU(64, return_sequences=True), "
    "GRU(64, reset_after=False), Dense(3, softmax)";

std::vector<GradientWay> recurrent_ways(const char* layers, int host_ranks) {
  return test::gradient_ways_of(layers, host_ranks, [](const Parameter& parameter) {
    return parameter.name == "recurrent_kernel";
  });
}

using RecurrentOverRanks = test::OverRanks;
INSTANTIATE_TEST_SUITE_P(Strategies, RecurrentOverRanks, test::kStrategies, test::strategy_name);

TEST_P(RecurrentOverRanks, GivesOneRanksBitsWithGradientsByRows) {
  for (const int host_ranks : {1, 2, 3, 4, 8, 64})
    EXPECT_THAT(recurrent_ways(kLong, host_ranks), testing::Each(GradientWay::kRows));
  expect_what_one_rank_computes(kLong);
}

TEST_P(RecurrentOverRanks, GivesOneRanksBitsWithGradientsByOwners) {
  for (const int host_ranks : {2, 3, 4, 8, 64})
    EXPECT_THAT(recurrent_ways(kWide, host_ranks), testing::Each(GradientWay::kOwner));
  expect_what_one_rank_computes(kWide);
}

}  // namespace
}  // namespace lockstep
