#include "distributed/training/finite_check.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(DescribeNotFinite, CountsWeightsAndNamesTheFirst) {
  Network model = test::classifier(4, 5, 3);
  model.initialize(1);
  EXPECT_EQ(describe_not_finite(model), "");
  std::span<float> last = model.layers().back()->parameters()[1].value;
  last[2] = kNan;
  EXPECT_EQ(describe_not_finite(model),
            "1 of 43 weights are NaN or Inf, the first one in dense_1/bias");
  model.layers().front()->parameters()[0].value[0] = -INFINITY;
  EXPECT_EQ(describe_not_finite(model),
            "2 of 43 weights are NaN or Inf, the first one in dense/kernel");
}

TEST(DescribeNotFinite, NamesTheFirstNumberOfAnEvaluation) {
  EXPECT_EQ(describe_not_finite(Evaluation{1.5, {{"mse", 2}}, 3}), "");
  EXPECT_EQ(describe_not_finite(Evaluation{1.5, {{"mae", 2}, {"mse", INFINITY}}, 3}), "mse is inf");
  EXPECT_EQ(describe_not_finite(Evaluation{kNan, {{"mse", INFINITY}}, 3}), "loss is nan");
}

TEST(FinitePredictions, CountsRowsOverAllPieces) {
  FinitePredictions finite;
  const std::vector<float> good = {1, 2, 3, 4};
  const std::vector<float> bad = {1, 2, kNan, INFINITY, 5, kNan};
  finite.add(0, {good.data(), 2, 2});
  EXPECT_EQ(finite.describe(), "");
  finite.add(2, {bad.data(), 3, 2});
  EXPECT_EQ(finite.describe(),
            "2 of 5 rows of predictions hold NaN or Inf, the first one is row 3");
}

}  // namespace
}  // namespace lockstep
