#include "src/losses/crossentropy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/src/losses/loss_check.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

// Three positions of five classes, as logits and as probabilities that do not add up to 1.
const std::vector<float> kLogits{0.5f, -1.25f, 2, 0,    1,    -0.5f, 0.75f, -2,
                                 1.5f, 0.25f,  3, 2.5f, 0.5f, -1,    1.25f};
const std::vector<float> kProbabilities{0.25f, 0.125f, 0.5f,  0.25f, 0.125f, 0.375f, 0.5f,  0.25f,
                                        0.25f, 0.125f, 0.75f, 0.25f, 0.125f, 0.5f,   0.375f};
const std::vector<std::int32_t> kClasses{2, 0, 4};
const std::vector<float> kDistributions{0.25f, 0, 0.5f, 0.25f, 0, 0,    1, 0,
                                        0,     0, 0,    0.5f,  0, 0.5f, 0};

TEST(SparseCategoricalCrossentropy, FusedGivesKerassNumbers) {
  const std::vector<std::int32_t> classes{0};
  const LossResult result =
      run_loss(SparseCategoricalCrossentropy(), {1, 2, 3}, 3, class_targets(classes), true);
  EXPECT_NEAR(result.sum, 2.407605964, 1e-6);
  EXPECT_NEAR(result.gradient[0], -0.909969427, 1e-6);
  EXPECT_NEAR(result.gradient[1], 0.244728471, 1e-6);
  EXPECT_NEAR(result.gradient[2], 0.665240956, 1e-6);
}

TEST(SparseCategoricalCrossentropy, FusedLeavesThePredictionsOfTheActivationBitForBit) {
  std::vector<float> expected = kLogits;
  activate(Activation::kSoftmax, {expected.data(), 3, 5});
  for (const bool with_gradient : {true, false}) {
    const LossResult result = run_loss(SparseCategoricalCrossentropy(), kLogits, 5,
                                       class_targets(kClasses), true, 1, with_gradient);
    EXPECT_EQ(result.outputs, expected);
  }
}

TEST(SparseCategoricalCrossentropy, UnfusedNormalisesTheClippedProbabilities) {
  const std::vector<std::int32_t> classes{1};
  const LossResult result = run_loss(SparseCategoricalCrossentropy(), {0.25f, 0.5f, 0.5f}, 3,
                                     class_targets(classes), false);
  EXPECT_NEAR(result.sum, std::log(1.25 / 0.5), 1e-12);
  EXPECT_EQ(result.outputs, (std::vector<float>{0.25f, 0.5f, 0.5f}));
}

TEST(SparseCategoricalCrossentropy, SaturatedLogitsGiveAFiniteLossAndALiveGradient) {
  const std::vector<std::int32_t> classes{0, 1};
  const LossResult result = run_loss(SparseCategoricalCrossentropy(), {-50, 50, 200, -1000}, 2,
                                     class_targets(classes), true);
  EXPECT_TRUE(std::isfinite(result.sum));
  EXPECT_NEAR(result.sum, 100 + 1200, 1e-9);
  EXPECT_EQ(result.gradient, (std::vector<float>{-1, 1, 1, -1}));
}

TEST(SparseCategoricalCrossentropy, UnfusedLossIsCappedAndItsGradientDies) {
  const std::vector<std::int32_t> classes{0};
  const LossResult result =
      run_loss(SparseCategoricalCrossentropy(), {0, 1}, 2, class_targets(classes), false);
  EXPECT_NEAR(result.sum, 16.118, 1e-3);
  EXPECT_EQ(result.gradient, (std::vector<float>{0, 0}));
}

TEST(SparseCategoricalCrossentropy, GradientMatchesFiniteDifferences) {
  const Targets targets = class_targets(kClasses);
  expect_gradient_matches_differences(SparseCategoricalCrossentropy(), kLogits, 5, targets, true);
  expect_gradient_matches_differences(SparseCategoricalCrossentropy(true), kLogits, 5, targets,
                                      false);
  expect_gradient_matches_differences(SparseCategoricalCrossentropy(), kProbabilities, 5, targets,
                                      false);
}

TEST(SparseCategoricalCrossentropy, FromLogitsEqualsFusedButKeepsTheLogits) {
  const Targets targets = class_targets(kClasses);
  const LossResult fused =
      run_loss(SparseCategoricalCrossentropy(), kLogits, 5, targets, true, 0.5f);
  const LossResult logits =
      run_loss(SparseCategoricalCrossentropy(true), kLogits, 5, targets, false, 0.5f);
  EXPECT_EQ(logits.sum, fused.sum);
  EXPECT_EQ(logits.gradient, fused.gradient);
  EXPECT_EQ(logits.outputs, kLogits);
  // Keras looks behind the softmax even then.
  EXPECT_TRUE(SparseCategoricalCrossentropy(true).fuses(Activation::kSoftmax));
}

TEST(SparseCategoricalCrossentropy, RefusesAClassThatTheOutputLacks) {
  for (const std::int32_t wrong : {-1, 5, std::numeric_limits<std::int32_t>::min()}) {
    for (const bool fused : {true, false}) {
      const std::vector<std::int32_t> classes{2, wrong, 4};
      expect_error(
          ExitCode::kBadData,
          [&] {
            run_loss(SparseCategoricalCrossentropy(), kLogits, 5, class_targets(classes), fused);
          },
          HasSubstr(fmt::format("expected a class in [0, 5), got {} at position 1", wrong)));
    }
  }
}

TEST(CategoricalCrossentropy, EqualsTheSparseOneForOneHotTargets) {
  std::vector<float> one_hot(15);
  for (std::size_t i = 0; i < 3; ++i) one_hot[i * 5 + static_cast<std::size_t>(kClasses[i])] = 1;
  const LossResult sparse =
      run_loss(SparseCategoricalCrossentropy(), kLogits, 5, class_targets(kClasses), true);
  const LossResult categorical =
      run_loss(CategoricalCrossentropy(), kLogits, 5, value_targets(one_hot, 5), true);
  EXPECT_NEAR(categorical.sum, sparse.sum, 1e-12);
  EXPECT_EQ(categorical.outputs, sparse.outputs);
  for (std::size_t i = 0; i < 15; ++i)
    EXPECT_NEAR(categorical.gradient[i], sparse.gradient[i], 1e-7);
}

TEST(CategoricalCrossentropy, GradientMatchesFiniteDifferences) {
  const Targets targets = value_targets(kDistributions, 5);
  for (const double smoothing : {0.0, 0.25}) {
    const CategoricalCrossentropy loss({.label_smoothing = smoothing});
    expect_gradient_matches_differences(loss, kLogits, 5, targets, true);
    expect_gradient_matches_differences(loss, kProbabilities, 5, targets, false);
    const CategoricalCrossentropy of_logits({.from_logits = true, .label_smoothing = smoothing});
    expect_gradient_matches_differences(of_logits, kLogits, 5, targets, false);
  }
}

TEST(CategoricalCrossentropy, GradientMatchesFiniteDifferencesForTargetsThatDoNotAddUpToOne) {
  const std::vector<float> targets{0.5f, 0, 0.25f, 1, 1};
  const std::vector<float> logits(kLogits.begin(), kLogits.begin() + 5);
  expect_gradient_matches_differences(CategoricalCrossentropy(), logits, 5,
                                      value_targets(targets, 5), true);
}

TEST(CategoricalCrossentropy, SmoothingMovesTargetsTowardsTheUniformDistribution) {
  const std::vector<float> sharp{0, 1, 0, 0};
  const std::vector<float> smoothed{0.05f, 0.85f, 0.05f, 0.05f};
  const std::vector<float> logits{1, 2, -1, 0.5f};
  const LossResult by_setting = run_loss(CategoricalCrossentropy({.label_smoothing = 0.2}), logits,
                                         4, value_targets(sharp, 4), true);
  const LossResult by_hand =
      run_loss(CategoricalCrossentropy(), logits, 4, value_targets(smoothed, 4), true);
  EXPECT_NEAR(by_setting.sum, by_hand.sum, 1e-6);
}

TEST(CategoricalCrossentropy, UnfusedNormalisesBeforeItClips) {
  const std::vector<float> targets{0, 1, 0};
  const LossResult result =
      run_loss(CategoricalCrossentropy(), {0.5f, 2, 1.5f}, 3, value_targets(targets, 3), false);
  EXPECT_NEAR(result.sum, -std::log(0.5), 1e-12);
}

TEST(CategoricalCrossentropy, SaturatedLogitsGiveAFiniteLossAndALiveGradient) {
  const std::vector<float> targets{1, 0};
  const LossResult fused =
      run_loss(CategoricalCrossentropy(), {-50, 50}, 2, value_targets(targets, 2), true);
  EXPECT_NEAR(fused.sum, 100, 1e-9);
  EXPECT_EQ(fused.gradient, (std::vector<float>{-1, 1}));
  const LossResult unfused =
      run_loss(CategoricalCrossentropy(), {0, 1}, 2, value_targets(targets, 2), false);
  EXPECT_NEAR(unfused.sum, 16.118, 1e-3);
}

TEST(BinaryCrossentropy, FusedGivesKerassNumber) {
  const std::vector<float> targets{0};
  const LossResult result = run_loss(BinaryCrossentropy(), {2}, 1, value_targets(targets, 1), true);
  EXPECT_NEAR(result.sum, 2.126928011, 1e-7);
  EXPECT_NEAR(result.gradient[0], 0.880797078, 1e-6);
}

TEST(BinaryCrossentropy, FusedLeavesThePredictionsOfTheActivationBitForBit) {
  std::vector<float> expected = kLogits;
  activate(Activation::kSigmoid, {expected.data(), 3, 5});
  const LossResult result =
      run_loss(BinaryCrossentropy(), kLogits, 5, value_targets(kDistributions, 5), true);
  EXPECT_EQ(result.outputs, expected);
}

TEST(BinaryCrossentropy, IsTheMeanOverTheLastAxis) {
  const std::vector<float> targets{0, 1};
  const LossResult both =
      run_loss(BinaryCrossentropy(), {2, -1}, 2, value_targets(targets, 2), true);
  const double first = 2.126928011;
  const double second = std::log1p(std::exp(1.0));
  EXPECT_NEAR(both.sum, (first + second) / 2, 1e-6);
}

TEST(BinaryCrossentropy, GradientMatchesFiniteDifferences) {
  const Targets targets = value_targets(kDistributions, 5);
  for (const double smoothing : {0.0, 0.25}) {
    const BinaryCrossentropy loss({.label_smoothing = smoothing});
    expect_gradient_matches_differences(loss, kLogits, 5, targets, true);
    expect_gradient_matches_differences(loss, kProbabilities, 5, targets, false);
    const BinaryCrossentropy of_logits({.from_logits = true, .label_smoothing = smoothing});
    expect_gradient_matches_differences(of_logits, kLogits, 5, targets, false);
  }
}

TEST(BinaryCrossentropy, SmoothingMovesTargetsTowardsOneHalf) {
  const std::vector<float> sharp{0, 1};
  const std::vector<float> smoothed{0.1f, 0.9f};
  const LossResult by_setting = run_loss(BinaryCrossentropy({.label_smoothing = 0.2}), {1, 3}, 2,
                                         value_targets(sharp, 2), true);
  const LossResult by_hand =
      run_loss(BinaryCrossentropy(), {1, 3}, 2, value_targets(smoothed, 2), true);
  EXPECT_NEAR(by_setting.sum, by_hand.sum, 1e-6);
}

TEST(BinaryCrossentropy, SaturatedLogitsGiveAFiniteLossAndALiveGradient) {
  const std::vector<float> targets{1, 0, 1};
  const LossResult fused =
      run_loss(BinaryCrossentropy(), {-200, 50, -1000}, 1, value_targets(targets, 1), true);
  EXPECT_NEAR(fused.sum, 1250, 1e-9);
  EXPECT_EQ(fused.gradient, (std::vector<float>{-1, 1, -1}));
  const LossResult unfused =
      run_loss(BinaryCrossentropy(), {0, 1, 0.5f}, 1, value_targets(targets, 1), false);
  // At 1 the clip ends at the float next to 1 - 1e-7, as in TensorFlow.
  EXPECT_NEAR(unfused.sum, 16.118096 + 15.942385 + std::log(2.0), 1e-5);
  EXPECT_EQ(unfused.gradient[0], 0);
  EXPECT_EQ(unfused.gradient[1], 0);
  EXPECT_NEAR(unfused.gradient[2], -2, 1e-6);
}

TEST(Crossentropy, ManyRowsAreTheSumOfSingleOnesBitForBit) {
  constexpr std::size_t kRows = 131;  // more than two blocks
  std::vector<float> logits;
  std::vector<float> distributions;
  std::vector<std::int32_t> classes;
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      logits.push_back(kLogits[(7 * i + j) % 15] + 0.01f * static_cast<float>(i));
      distributions.push_back(kDistributions[(4 * i + j) % 15]);
    }
    classes.push_back(static_cast<std::int32_t>(i % 3));
  }
  for (const bool sparse : {true, false}) {
    for (const bool fused : {true, false}) {
      for (const bool with_gradient : {true, false}) {
        const auto run = [&](std::size_t first, std::size_t count) {
          const auto part = [=](auto values, std::size_t width) {
            const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first * width);
            return decltype(values)(begin, begin + static_cast<std::ptrdiff_t>(count * width));
          };
          const auto c = part(classes, 1);
          const auto t = part(distributions, 3);
          return sparse ? run_loss(SparseCategoricalCrossentropy(true), part(logits, 3), 3,
                                   class_targets(c), fused, 0.5f, with_gradient)
                        : run_loss(CategoricalCrossentropy({.from_logits = true}), part(logits, 3),
                                   3, value_targets(t, 3), fused, 0.5f, with_gradient);
        };
        const LossResult all = run(0, kRows);
        LossResult single;
        for (std::size_t i = 0; i < kRows; ++i) {
          const LossResult row = run(i, 1);
          single.sum += row.sum;
          single.outputs.insert(single.outputs.end(), row.outputs.begin(), row.outputs.end());
          single.gradient.insert(single.gradient.end(), row.gradient.begin(), row.gradient.end());
        }
        EXPECT_EQ(all.sum, single.sum);
        EXPECT_EQ(all.outputs, single.outputs);
        EXPECT_EQ(all.gradient, single.gradient);
      }
    }
  }
}

TEST(Crossentropy, ANotANumberComesOut) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int32_t> classes{0};
  const std::vector<float> targets{1, 0};
  for (const bool fused : {true, false}) {
    EXPECT_TRUE(std::isnan(
        run_loss(SparseCategoricalCrossentropy(), {0.5f, nan}, 2, class_targets(classes), fused)
            .sum));
    EXPECT_TRUE(std::isnan(
        run_loss(CategoricalCrossentropy(), {0.5f, nan}, 2, value_targets(targets, 2), fused).sum));
    EXPECT_TRUE(std::isnan(
        run_loss(BinaryCrossentropy(), {0.5f, nan}, 2, value_targets(targets, 2), fused).sum));
  }
}

}  // namespace
}  // namespace lockstep
