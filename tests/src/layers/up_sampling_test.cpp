#include "src/layers/up_sampling.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

ordered_json bilinear(const ordered_json& size) {
  return {{"size", size}, {"interpolation", "bilinear"}};
}

TEST(UpSampling, BackwardMatchesFiniteDifferences) {
  const auto check = [](const char* class_name, const ordered_json& config, const Shape& input) {
    const auto layer = test::layer_of(class_name, config);
    test::expect_gradients_match_finite_differences(*layer, input, 2);
    test::expect_the_same_bits_in_blocks(class_name, config, {input});
  };
  check("UpSampling1D", {{"size", 3}}, {3, 5});
  check("UpSampling2D", {{"size", {2, 3}}}, {3, 2, 1});
  check("UpSampling3D", {{"size", {2, 1, 3}}}, {2, 1, 2, 3});
  check("UpSampling2D", bilinear(2), {3, 4, 2});
  check("UpSampling2D", bilinear({3, 1}), {1, 4, 5});
  check("UpSampling2D", bilinear({1, 4}), {2, 3, 37});
}

TEST(UpSampling, RepeatsExactly) {
  const auto layer = test::layer_of("UpSampling2D", {{"size", {1, 2}}});
  test::LayerRun run(*layer, {{1, 2, 2}}, 1, {});
  EXPECT_EQ(run.output_shape(), (Shape{1, 4, 2}));
  run.x() = {1, -2, 3, -4};
  EXPECT_EQ(run.forward(), (Floats{1, -2, 1, -2, 3, -4, 3, -4}));
}

TEST(UpSampling, AddsTheGradientsOfCopiesInAscendingOrder) {
  const auto layer = test::layer_of("UpSampling2D", {{"size", 2}});
  test::LayerRun run(*layer, {{1, 1, 1}}, 1);
  run.backward({1e8f, 1, -1e8f, 3});
  EXPECT_EQ(run.dx(), Floats{3});  // the 1 is lost
}

TEST(UpSampling, BilinearLeavesOutWhatCountsNothing) {
  const auto layer = test::layer_of("UpSampling2D", bilinear({1, 3}));
  test::LayerRun run(*layer, {{1, 3, 1}}, 1, {});
  const float infinity = std::numeric_limits<float>::infinity();
  run.x() = {1, 4, infinity};
  EXPECT_EQ(run.forward(), (Floats{1, 1, 2, 3, 4, infinity, infinity, infinity, infinity}));
}

TEST(UpSampling, RefusesWhatItLacksByName) {
  EXPECT_THAT(test::refusal_of("UpSampling2D", {{"interpolation", "bicubic"}}, {2, 2, 1}),
              HasSubstr("interpolation: expected nearest or bilinear, got 'bicubic'"));
  EXPECT_THAT(test::refusal_of("UpSampling2D", {{"size", 0}}, {2, 2, 1}), HasSubstr("size: "));
  EXPECT_THAT(test::refusal_of("UpSampling3D", {{"size", {1, 2}}}, {2, 2, 2, 1}),
              HasSubstr("size: expected an integer of at least 1, or a list of 3"));
  EXPECT_THAT(test::refusal_of("UpSampling3D", {{"data_format", "channels"}}),
              HasSubstr("data_format: expected channels_last or channels_first"));
  EXPECT_THAT(test::refusal_of("UpSampling1D", ordered_json::object(), {4}),
              HasSubstr("[layer] expected an input of 3 axes (batch, 1 of positions, channels), "
                        "got (None, 4)"));
  EXPECT_THAT(test::refusal_of("UpSampling2D", bilinear(1 << 30), {2, 2, 1}),
              HasSubstr("expected at most 2147483647 elements a sample"));
  EXPECT_EQ(test::layer_of("UpSampling1D", {{"size", 3}})->config().dump(), R"({"size":3})");
  EXPECT_EQ(test::layer_of("UpSampling2D", bilinear(3))->config().dump(),
            R"({"size":[3,3],"data_format":"channels_last","interpolation":"bilinear"})");
}

}  // namespace
}  // namespace lockstep
