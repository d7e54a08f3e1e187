#include "src/metrics/accuracy.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/src/losses/loss_check.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

ConstMatrix matrix(const std::vector<float>& values, std::int64_t columns) {
  return {values.data(), std::ssize(values) / columns, columns};
}

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

TEST(BinaryAccuracy, CountsAProbabilityOfOneHalfAsClassZero) {
  const std::vector<float> p{0.5f, 0.51f, 0.49f, 0.9f};
  const std::vector<float> t{0, 1, 1, 1};
  EXPECT_EQ(binary_accuracy(matrix(p, 1), value_targets(t, 1), 0.5), 3.0);
  EXPECT_EQ(binary_accuracy(matrix(p, 1), value_targets(t, 1), 0.4), 3.0);
  EXPECT_EQ(binary_accuracy(matrix(p, 1), value_targets(t, 1), 0.95), 1.0);
}

TEST(BinaryAccuracy, IsTheMeanOverTheLastAxis) {
  const std::vector<float> p{0.9f, 0.1f, 0.9f, 0.9f};
  const std::vector<float> t{1, 1, 1, 1};
  EXPECT_EQ(binary_accuracy(matrix(p, 2), value_targets(t, 2), 0.5), 1.5);
}

TEST(SparseCategoricalAccuracy, ComparesTheLargestPredictionWithTheClass) {
  const std::vector<float> p{0.1f, 0.7f, 0.2f, 0.5f, 0.2f, 0.3f, 0.1f, 0.2f, 0.7f};
  const std::vector<std::int32_t> classes{1, 0, 1};
  EXPECT_EQ(sparse_categorical_accuracy(matrix(p, 3), class_targets(classes)), 2.0);
}

TEST(SparseCategoricalAccuracy, GivesATieToTheLowestIndex) {
  const std::vector<float> p{0.4f, 0.4f, 0.2f};
  const std::vector<std::int32_t> first{0};
  const std::vector<std::int32_t> second{1};
  EXPECT_EQ(sparse_categorical_accuracy(matrix(p, 3), class_targets(first)), 1.0);
  EXPECT_EQ(sparse_categorical_accuracy(matrix(p, 3), class_targets(second)), 0.0);
}

TEST(CategoricalAccuracy, ComparesTheLargestOfBoth) {
  const std::vector<float> p{0.1f, 0.7f, 0.2f, 0.5f, 0.2f, 0.3f};
  const std::vector<float> t{0, 1, 0, 0.5f, 0.5f, 0.25f};
  EXPECT_EQ(categorical_accuracy(matrix(p, 3), value_targets(t, 3)), 2.0);
  const std::vector<float> other{1, 0, 0, 0, 0, 1};
  EXPECT_EQ(categorical_accuracy(matrix(p, 3), value_targets(other, 3)), 0.0);
}

TEST(TopK, HitsIfFewerThanKPredictionsAreLarger) {
  const std::vector<float> p{0.1f, 0.4f, 0.3f, 0.2f};
  const std::vector<std::int32_t> third{3};
  EXPECT_EQ(sparse_top_k_categorical_accuracy(matrix(p, 4), class_targets(third), 2), 0.0);
  EXPECT_EQ(sparse_top_k_categorical_accuracy(matrix(p, 4), class_targets(third), 3), 1.0);
  EXPECT_EQ(sparse_top_k_categorical_accuracy(matrix(p, 4), class_targets(third), 9), 1.0);
  const std::vector<float> one_hot{0, 0, 0, 1};
  EXPECT_EQ(top_k_categorical_accuracy(matrix(p, 4), value_targets(one_hot, 4), 2), 0.0);
  EXPECT_EQ(top_k_categorical_accuracy(matrix(p, 4), value_targets(one_hot, 4), 3), 1.0);
}

TEST(TopK, CountsTiesAsHits) {
  const std::vector<float> p{0.25f, 0.25f, 0.25f, 0.25f};
  const std::vector<std::int32_t> last{3};
  EXPECT_EQ(sparse_top_k_categorical_accuracy(matrix(p, 4), class_targets(last), 1), 1.0);
}

TEST(TopK, MissesClassesOutsideAndPredictionsThatAreNotFinite) {
  const std::vector<float> p{0.5f, 0.5f};
  for (const std::int32_t outside : {-1, 2}) {
    const std::vector<std::int32_t> classes{outside};
    EXPECT_EQ(sparse_top_k_categorical_accuracy(matrix(p, 2), class_targets(classes), 5), 0.0);
  }
  const std::vector<std::int32_t> classes{0};
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    const std::vector<float> with_bad{0.5f, bad};
    EXPECT_EQ(sparse_top_k_categorical_accuracy(matrix(with_bad, 2), class_targets(classes), 5),
              0.0);
  }
}

TEST(Accuracies, OfNoPositionsAreZero) {
  const ConstMatrix none{nullptr, 0, 3};
  Targets targets;
  targets.values.columns = 3;
  EXPECT_EQ(binary_accuracy(none, targets, 0.5), 0.0);
  EXPECT_EQ(categorical_accuracy(none, targets), 0.0);
  EXPECT_EQ(sparse_categorical_accuracy(none, targets), 0.0);
  EXPECT_EQ(top_k_categorical_accuracy(none, targets, 5), 0.0);
  EXPECT_EQ(sparse_top_k_categorical_accuracy(none, targets, 5), 0.0);
}

TEST(Accuracies, RefuseTargetsOfAnotherShape) {
  const std::vector<float> p{0.5f, 0.5f};
  const std::vector<std::int32_t> classes{0, 1};
  const std::vector<float> t{1, 0, 0};
  expect_error(
      ExitCode::kBadData,
      [&] { sparse_categorical_accuracy(matrix(p, 2), class_targets(classes)); },
      HasSubstr("[sparse_categorical_accuracy] expected a class for each of 1 positions, got 2"));
  expect_error(
      ExitCode::kBadData, [&] { categorical_accuracy(matrix(p, 2), value_targets(t, 3)); },
      HasSubstr("[categorical_accuracy] expected targets of shape (1, 2), got (1, 3)"));
}

}  // namespace
}  // namespace lockstep
