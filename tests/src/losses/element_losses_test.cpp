#include "src/losses/element_losses.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/src/losses/loss_check.hpp"

namespace lockstep {
namespace {

const std::vector<float> kOutputs{1, -2, 0.5f, 3, 0.25f, -1};
const std::vector<float> kTargets{0.5f, 1, 0.25f, -1, 0, -0.5f};

TEST(MeanSquaredError, IsTheMeanOverThePositionSummedOverPositions) {
  const std::vector<float> targets{0, 1, 1, 1};
  const LossResult result =
      run_loss(*mean_squared_error(), {1, 3, 2, 1}, 2, value_targets(targets, 2), false);
  EXPECT_DOUBLE_EQ(result.sum, (1.0 + 4.0) / 2 + (1.0 + 0.0) / 2);
  EXPECT_EQ(result.gradient, (std::vector<float>{1, 2, 1, 0}));
}

TEST(MeanAbsoluteError, IsTheMeanOverThePositionSummedOverPositions) {
  const std::vector<float> targets{0, 1, 3, 1};
  const LossResult result =
      run_loss(*mean_absolute_error(), {1, 3, 2, 1}, 2, value_targets(targets, 2), false);
  EXPECT_DOUBLE_EQ(result.sum, (1.0 + 2.0) / 2 + (1.0 + 0.0) / 2);
  EXPECT_EQ(result.gradient, (std::vector<float>{0.5f, 0.5f, -0.5f, 0}));
}

TEST(Huber, IsASquareInsideDeltaAndALineOutside) {
  const std::vector<float> targets{0, 0, 0};
  const LossResult result = run_loss(*huber(2), {1, -3, 2}, 1, value_targets(targets, 1), false);
  EXPECT_DOUBLE_EQ(result.sum, 0.5 + (2 * 3 - 2) + 2);
  EXPECT_EQ(result.gradient, (std::vector<float>{1, -2, 2}));
}

TEST(ElementLosses, GradientsMatchFiniteDifferences) {
  for (const std::int64_t columns : {1, 2, 3, 6}) {
    const Targets targets = value_targets(kTargets, columns);
    expect_gradient_matches_differences(*mean_squared_error(), kOutputs, columns, targets, false);
    expect_gradient_matches_differences(*mean_absolute_error(), kOutputs, columns, targets, false);
    expect_gradient_matches_differences(*huber(1), kOutputs, columns, targets, false);
    expect_gradient_matches_differences(*huber(0.375), kOutputs, columns, targets, false);
  }
}

TEST(ElementLosses, LeaveTheOutputsAlone) {
  const Targets targets = value_targets(kTargets, 2);
  EXPECT_EQ(run_loss(*mean_squared_error(), kOutputs, 2, targets, false).outputs, kOutputs);
  EXPECT_EQ(run_loss(*mean_absolute_error(), kOutputs, 2, targets, false).outputs, kOutputs);
  EXPECT_EQ(run_loss(*huber(1), kOutputs, 2, targets, false).outputs, kOutputs);
}

}  // namespace
}  // namespace lockstep
