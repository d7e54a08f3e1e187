#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "distributed/update/distributed_optimizer.hpp"
#include "distributed/update/gradient_ways.hpp"
#include "tests/support/tiny_training.hpp"

/// Networks on all ranks against one rank alone.
namespace lockstep::test {

/// By either strategy: INSTANTIATE_TEST_SUITE_P(Strategies, X, kStrategies, strategy_name).
class OverRanks : public testing::TestWithParam<DistributedOptimizer::Strategy> {
 public:
  static constexpr std::int64_t kBatch = 24;
  static constexpr std::int64_t kRows = 2 * kBatch + 13;  ///< a last batch of 13

 protected:
  /// Weights and losses of two epochs on `data`, kRows rows, with validation. Grains of which every
  /// rank has some, and so large that ranks have no rows; blocks of one, of two, and none.
  /// `layers`: as for --layers, from Input on, or Keras's JSON. Collective.
  void expect_what_one_rank_computes(const std::string& layers, const TinyData& data);
  /// The same with normal numbers for its input, and three classes.
  void expect_what_one_rank_computes(const std::string& layers);
};

inline const auto kStrategies = testing::Values(DistributedOptimizer::Strategy::kAllreduce,
                                                DistributedOptimizer::Strategy::kSharded);
std::string strategy_name(const testing::TestParamInfo<DistributedOptimizer::Strategy>& info);

/// Who computes the gradients of those parameters that it is asked about, on a host of so many
/// ranks.
std::vector<GradientWay> gradient_ways_of(const std::string& layers, int host_ranks,
                                          const std::function<bool(const Parameter&)>& asked);

}  // namespace lockstep::test
