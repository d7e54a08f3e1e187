#include "src/layers/masking.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;
using testing::HasSubstr;

TEST(Masking, ZeroesStepsOfTheMaskValueAndTheirGradients) {
  Masking layer(-1);
  test::LayerRun run(layer, {{3, 2}}, 1);
  run.x() = {-1, -1, -1, 2, 3, 4};
  EXPECT_EQ(run.forward(), (Floats{0, 0, -1, 2, 3, 4}));
  run.backward({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(run.dx(), (Floats{0, 0, 3, 4, 5, 6}));
  EXPECT_EQ(layer.config().dump(), R"({"mask_value":-1.0})");
}

TEST(Masking, IsAllowedWhereTheMaskEnds) {
  for (const char* behind : {"Flatten()", "Reshape((6,))", "Permute((2, 1))",
                             "Dense(4, relu), Dropout(0.1), Flatten(), Softmax()"})
    EXPECT_TRUE(model_from_layers_text("Input((3, 2)), Masking(), " + std::string(behind)).built());
}

/// The ops of a mask that is not read are dropped.
TEST(Masking, CostsNothingWhereItsMaskEnds) {
  const auto ops = [](const std::string& layers) {
    return model_from_layers_text(layers).graph().ops();
  };
  EXPECT_EQ(ops("Input(3), Embedding(4, 2, mask_zero=True), Flatten()"), 1u);
  EXPECT_EQ(ops("Input(3), Embedding(4, 2, mask_zero=True), Dense(2)"), 4u);
  EXPECT_EQ(ops("Input(3), Embedding(4, 2, mask_zero=True), LSTM(2)"), 3u);
}

TEST(Masking, IsRefusedByKerasInFrontOfSoftmax) {
  expect_error(
      ExitCode::kUsage,
      [&] { model_from_layers_text("Input((3, 2)), Masking(), Softmax(), Flatten()"); },
      HasSubstr("Softmax: expected an input without a mask, got one with a mask"));
}

TEST(Masking, MasksStepsOfTheMaskValueAlone) {
  Masking layer(-1);
  test::LayerRun run(layer, {{3, 2}}, 1);
  run.x() = {-1, -1, -1, 2, 0, 0};
  run.forward();
  EXPECT_EQ(run.output_mask(), (Floats{0, 1, 1}));
}

/// Of values that came with a mask of their own.
TEST(Masking, TakesThePlaceOfAnEarlierMask) {
  Masking layer;
  test::LayerRun run(layer, {{3, 1}}, 1, {.training = true}, 0, false, {}, {{1, 0, 0}});
  run.x() = {0, 0, 5};
  run.forward();
  EXPECT_EQ(run.output_mask(), (Floats{0, 0, 1}));
}

TEST(Masking, RefusesAnInputWithoutSteps) {
  expect_error(
      ExitCode::kUsage, [] { model_from_layers_text("Input(3), Masking(), Flatten()"); },
      HasSubstr("expected an input (None, time steps, features), got (None, 3)"));
}

}  // namespace
}  // namespace lockstep
