#include "src/parameters/regularizer.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

TEST(Regularizer, PenaltyIsL1TimesSumOfSizesPlusL2TimesSumOfSquares) {
  const std::vector<float> weights{1, -2, 0, 3};
  EXPECT_DOUBLE_EQ((Regularizer{0.5f, 0}).penalty(weights), 3.0);
  EXPECT_DOUBLE_EQ((Regularizer{0, 0.25f}).penalty(weights), 3.5);  // no factor 1/2
  EXPECT_DOUBLE_EQ((Regularizer{0.5f, 0.25f}).penalty(weights), 6.5);
  EXPECT_EQ((Regularizer{0.5f, 0.25f}).penalty({}), 0.0);
}

TEST(Regularizer, PenaltyAddsUpAllBlocks) {
  const std::vector<float> weights(3 * 4096 + 17, 0.5f);
  EXPECT_DOUBLE_EQ((Regularizer{1, 1}).penalty(weights), 0.75 * (3 * 4096 + 17));
}

TEST(Regularizer, GradientIsAddedAndMatchesFiniteDifferences) {
  const Regularizer regularizer{0.5f, 0.25f};
  const std::vector<float> weights{1, -2, 3, 0.5f, -0.25f};
  std::vector<float> gradient(weights.size(), 10);
  regularizer.add_gradient(weights, gradient);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    constexpr float kStep = 1.0f / 64;  // exact in all of the weights
    std::vector<float> moved = weights;
    moved[i] += kStep;
    const double above = regularizer.penalty(moved);
    moved[i] -= 2 * kStep;
    const double below = regularizer.penalty(moved);
    EXPECT_NEAR(gradient[i] - 10, (above - below) / (2 * kStep), 1e-6);
  }
}

TEST(Regularizer, GradientAtZeroIsZero) {
  const std::vector<float> weights{0.0f, -0.0f};
  std::vector<float> gradient{0, 0};
  (Regularizer{0.5f, 0.25f}).add_gradient(weights, gradient);
  EXPECT_EQ(gradient, (std::vector<float>{0, 0}));
}

TEST(Regularizer, ReadsKerassNamesAndClasses) {
  const auto read = [](const char* text) { return make_regularizer(Json::parse(text)); };
  EXPECT_FALSE(read("null").active());
  EXPECT_FLOAT_EQ(read(R"("l1")").l1, 0.01f);
  EXPECT_FLOAT_EQ(read(R"("l2")").l2, 0.01f);
  EXPECT_FLOAT_EQ(read(R"("l1_l2")").l1, 0.01f);
  EXPECT_FLOAT_EQ(read(R"("l1_l2")").l2, 0.01f);
  EXPECT_FLOAT_EQ(read(R"({"class_name": "L2", "config": {"l2": 0.001}})").l2, 0.001f);
  EXPECT_EQ(read(R"({"class_name": "L2", "config": {"l2": 0.001}})").l1, 0.0f);
  const Regularizer both = read(R"({"module": "keras.regularizers", "class_name": "L1L2",
                                    "config": {"l1": 0.5}, "registered_name": null})");
  EXPECT_EQ(both.l1, 0.5f);
  EXPECT_EQ(both.l2, 0.0f);
}

TEST(Regularizer, RoundTripsThroughJson) {
  EXPECT_EQ((Regularizer{}).to_json(), nullptr);
  EXPECT_EQ((Regularizer{0, 0.01f}).to_json().dump(),
            R"({"class_name":"L2","config":{"l2":0.01}})");
  EXPECT_EQ((Regularizer{0.1f, 0}).to_json().dump(), R"({"class_name":"L1","config":{"l1":0.1}})");
  const Regularizer both{1e-5f, 0.3f};
  EXPECT_EQ(both.to_json().dump(), R"({"class_name":"L1L2","config":{"l1":1e-05,"l2":0.3}})");
  EXPECT_EQ(make_regularizer(both.to_json()).l1, both.l1);
  EXPECT_EQ(make_regularizer(both.to_json()).l2, both.l2);
}

TEST(Regularizer, RefusesByNameWhatLockstepLacks) {
  const auto refused = [](const char* text, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_regularizer(Json::parse(text)); }, HasSubstr(message));
  };
  refused(R"({"class_name": "OrthogonalRegularizer", "config": {}})",
          "expected one of L1, L2, L1L2, got 'OrthogonalRegularizer'");
  refused(R"({"class_name": "L2", "config": {"l1": 0.1}})",
          "[L2] l1: expected no such key, got 0.1");
  refused(R"({"class_name": "L2", "config": {"l2": -1}})",
          "[L2] l2: expected a number from 0 to 3.4e38, got -1");
  refused(R"({"class_name": "L2", "config": {"l2": 1e300}})", "got 1e+300");
}

}  // namespace
}  // namespace lockstep
