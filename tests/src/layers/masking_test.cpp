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

TEST(Masking, IsRefusedWhereTheMaskReachesTheLoss) {
  for (const char* behind : {"", ", Dense(4)", ", Activation(relu), Dropout(0.1)"})
    expect_error(
        ExitCode::kBadData,
        [&] { model_from_layers_text("Input((3, 2)), Masking()" + std::string(behind)); },
        HasSubstr("[masking] expected a layer behind it that ends its mask (Flatten, Reshape, "
                  "Permute), got an output of the network that still has it: Keras would weigh "
                  "the loss by it"));
}

TEST(Masking, IsRefusedInFrontOfALayerThatUsesTheMask) {
  for (const std::string user : {"Softmax", "BatchNormalization"})
    expect_error(
        ExitCode::kUsage,
        [&] { model_from_layers_text("Input((3, 2)), Masking(), " + user + "(), Flatten()"); },
        HasSubstr(user + ": expected an input without a mask, got the one of masking"));
}

TEST(Masking, RefusesAnInputWithoutSteps) {
  expect_error(
      ExitCode::kUsage, [] { model_from_layers_text("Input(3), Masking(), Flatten()"); },
      HasSubstr("expected an input (None, time steps, features), got (None, 3)"));
}

}  // namespace
}  // namespace lockstep
