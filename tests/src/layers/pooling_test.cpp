#include "src/layers/pooling.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

const ordered_json kNone = ordered_json::object();

void check_gradients(const std::string& class_name, const ordered_json& config,
                     const Shape& input) {
  SCOPED_TRACE(class_name + config.dump() + to_string(input));
  const auto layer = test::layer_of(class_name, config);
  for (const std::int64_t rows : {1, 3})
    test::expect_gradients_match_finite_differences(*layer, input, rows);
  test::expect_the_same_bits_in_blocks(class_name, config, {input});
}

TEST(Pooling, BackwardMatchesFiniteDifferences) {
  for (const char* kind : {"Max", "Average"}) {
    const std::string name = std::string(kind) + "Pooling";
    check_gradients(name + "1D", kNone, {7, 3});
    check_gradients(name + "1D", {{"pool_size", 9}, {"strides", 2}, {"padding", "same"}}, {7, 1});
    check_gradients(name + "2D", kNone, {5, 4, 17});
    check_gradients(name + "2D", {{"pool_size", 3}, {"strides", 2}, {"padding", "same"}},
                    {6, 5, 5});
    check_gradients(name + "2D", {{"pool_size", {1, 2}}, {"strides", 3}}, {5, 7, 2});
    check_gradients(name + "3D", {{"strides", 1}}, {3, 2, 3, 1});
    check_gradients("Global" + name + "1D", kNone, {5, 7});
    check_gradients("Global" + name + "2D", {{"keepdims", true}}, {17, 16, 2});  // > 256 cells
    check_gradients("Global" + name + "3D", kNone, {2, 3, 2, 3});
    check_gradients("Adaptive" + name + "1D", {{"output_size", 5}}, {7, 3});
    check_gradients("Adaptive" + name + "2D", {{"output_size", {3, 5}}}, {5, 4, 1});
    check_gradients("Adaptive" + name + "3D", {{"output_size", 2}}, {3, 4, 2, 1});
  }
}

TEST(MaxPooling, GradientGoesToTheFirstMaximumInRowMajorOrder) {
  const auto layer = test::layer_of("MaxPooling2D", kNone);
  test::LayerRun run(*layer, {{2, 4, 1}}, 1);
  run.x() = {0, 5, 0, 0, 5, 5, 0, 0};
  run.backward({3, 4});
  EXPECT_EQ(run.dx(), (Floats{0, 3, 4, 0, 0, 0, 0, 0}));
}

TEST(MaxPooling, OfNumbersThatAreNotANumberIsNone) {
  const float nan = std::nanf("");
  const auto layer = test::layer_of("MaxPooling1D", {{"pool_size", 3}});
  test::LayerRun run(*layer, {{9, 1}}, 1);
  run.x() = {1, nan, 2, nan, 3, nan, 4, 5, 3};
  const Floats y = run.forward();
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_EQ(y[2], 5);
  run.backward({1, 2, 3});
  EXPECT_EQ(run.dx(), (Floats{0, 1, 0, 2, 0, 0, 0, 3, 0}));
}

TEST(MaxPooling, CountsNoPadding) {
  const auto layer =
      test::layer_of("MaxPooling1D", {{"pool_size", 3}, {"padding", "same"}, {"strides", 1}});
  test::LayerRun run(*layer, {{3, 1}}, 1, {});
  run.x() = {-1, -2, -3};
  EXPECT_EQ(run.forward(), (Floats{-1, -1, -2}));
}

TEST(MaxPooling, AddsGradientsWhereWindowsOverlapInAscendingOrder) {
  const auto layer = test::layer_of("MaxPooling1D", {{"pool_size", 3}, {"strides", 1}});
  test::LayerRun run(*layer, {{5, 1}}, 1);
  run.x() = {0, 0, 9, 0, 0};
  run.backward({1e8f, 1, -1e8f});
  EXPECT_EQ(run.dx(), (Floats{0, 0, 0, 0, 0}));  // the 1 is lost
}

TEST(AveragePooling, DividesByThePositionsThatThereAre) {
  const auto layer =
      test::layer_of("AveragePooling1D", {{"pool_size", 3}, {"padding", "same"}, {"strides", 1}});
  test::LayerRun run(*layer, {{3, 1}}, 1, {});
  run.x() = {1, 3, 8};
  EXPECT_EQ(run.forward(), (Floats{2, 4, 5.5f}));
}

TEST(GlobalPooling, AveragesAreRoundedOnce) {
  const auto layer = test::layer_of("GlobalAveragePooling2D", kNone);
  test::LayerRun run(*layer, {{112, 112, 3}}, 1, {});
  for (std::size_t i = 0; i < run.x().size(); ++i)
    run.x()[i] = 1000 + std::sin(static_cast<float>(i));
  const Floats y = run.forward();
  for (std::size_t c = 0; c < 3; ++c) {
    long double sum = 0;
    for (std::size_t i = c; i < run.x().size(); i += 3) sum += run.x()[i];
    EXPECT_EQ(y[c], static_cast<float>(sum / (112 * 112)));
  }
}

TEST(GlobalPooling, MaximaOfManyPositionsAreFound) {
  const auto layer = test::layer_of("GlobalMaxPooling1D", kNone);
  test::LayerRun run(*layer, {{1000, 2}}, 1);
  run.x()[2 * 777] = 1;
  run.x()[2 * 300 + 1] = 2;
  EXPECT_EQ(run.forward(), (Floats{1, 2}));
  run.backward({3, 4});
  EXPECT_EQ(run.dx()[2 * 777], 3);
  EXPECT_EQ(run.dx()[2 * 300 + 1], 4);
  EXPECT_EQ(std::accumulate(run.dx().begin(), run.dx().end(), 0.0f), 7);
}

TEST(GlobalPooling, KeepsAxesIfAsked) {
  const auto shape = [](const ordered_json& config) {
    const auto layer = test::layer_of("GlobalMaxPooling2D", config);
    return test::LayerRun(*layer, {{2, 3, 5}}, 1).output_shape();
  };
  EXPECT_EQ(shape(kNone), Shape{5});
  EXPECT_EQ(shape({{"keepdims", true}}), (Shape{1, 1, 5}));
}

/// Keras's attribute supports_masking.
TEST(Pooling, KnowsWhatKerasDoesWithAMask) {
  EXPECT_EQ(test::layer_of("GlobalAveragePooling1D", kNone)->on_mask(), OnMask::kLowers);
  for (const char* name :
       {"GlobalAveragePooling2D", "GlobalMaxPooling1D", "MaxPooling1D", "AveragePooling1D"})
    EXPECT_EQ(test::layer_of(name, kNone)->on_mask(), OnMask::kEnds) << name;
}

TEST(Pooling, WritesKerasConfigs) {
  const auto written = [](const char* name, const ordered_json& config) {
    return test::layer_of(name, config)->config().dump();
  };
  EXPECT_EQ(
      written("MaxPooling2D", {{"pool_size", {3, 2}}}),
      R"({"pool_size":[3,2],"padding":"valid","strides":[3,2],"data_format":"channels_last"})");
  EXPECT_EQ(written("AveragePooling1D", {{"strides", 1}, {"padding", "SAME"}}),
            R"({"pool_size":[2],"padding":"same","strides":[1],"data_format":"channels_last"})");
  EXPECT_EQ(written("GlobalMaxPooling3D", kNone),
            R"({"data_format":"channels_last","keepdims":false})");
  EXPECT_EQ(written("AdaptiveMaxPooling2D", {{"output_size", 3}}),
            R"({"output_size":[3,3],"data_format":"channels_last"})");
}

TEST(Pooling, RefusesWhatItLacksByName) {
  EXPECT_THAT(test::refusal_of("MaxPooling2D", {{"padding", "causal"}}),
              HasSubstr("padding: expected valid or same, got 'causal'"));
  EXPECT_THAT(test::refusal_of("MaxPooling2D", {{"pool_size", {1, 2, 3}}}),
              HasSubstr("pool_size: expected an integer of at least 1, or a list of 2"));
  EXPECT_THAT(test::refusal_of("MaxPooling2D", {{"strides", 0}}), HasSubstr("strides: "));
  for (const char* name : {"MaxPooling2D", "GlobalAveragePooling1D", "GlobalMaxPooling3D"})
    EXPECT_THAT(test::refusal_of(name, {{"data_format", "channels"}}),
                HasSubstr("data_format: expected channels_last or channels_first, got 'channels'"));
  EXPECT_THAT(
      test::refusal_of("AdaptiveMaxPooling1D", kNone),
      HasSubstr("output_size: expected an integer of at least 1, or a list of one, got nothing"));
  EXPECT_THAT(test::refusal_of("GlobalMaxPooling2D", {{"keepdims", 1}}), HasSubstr("keepdims: "));
  EXPECT_THAT(test::refusal_of("AveragePooling2D", {{"pool_size", 3}}, {2, 5, 1}),
              HasSubstr("[layer] expected an input of at least 3 x 3 positions, got 2 x 5"));
  EXPECT_THAT(test::refusal_of("GlobalMaxPooling2D", kNone, {5, 1}),
              HasSubstr("[layer] expected an input of 4 axes (batch, 2 of positions, channels), "
                        "got (None, 5, 1)"));
  EXPECT_THAT(test::refusal_of("GlobalMaxPooling1D", kNone, {(1 << 24) + 1, 1}),
              HasSubstr("expected a pooling over at most 16777216 positions, got 16777217"));
}

}  // namespace
}  // namespace lockstep
