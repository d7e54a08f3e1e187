#include "src/layers/padding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

const ordered_json kNone = ordered_json::object();

TEST(ZeroPadding, BackwardMatchesFiniteDifferences) {
  const auto check = [](const char* class_name, const ordered_json& config, const Shape& input) {
    const auto layer = test::layer_of(class_name, config);
    test::expect_gradients_match_finite_differences(*layer, input, 2);
    test::expect_the_same_bits_in_blocks(class_name, config, {input});
  };
  check("ZeroPadding1D", {{"padding", {2, 1}}}, {3, 5});
  check("ZeroPadding2D", {{"padding", ordered_json::parse("[[1, 0], [0, 2]]")}}, {3, 2, 1});
  check("ZeroPadding3D", {{"padding", {1, 0, 2}}}, {2, 1, 2, 3});
  check("Cropping1D", kNone, {3, 5});
  check("Cropping2D", {{"cropping", ordered_json::parse("[[1, 0], [0, 2]]")}}, {3, 4, 3});
  check("Cropping3D", {{"cropping", {1, 0, 1}}}, {3, 1, 3, 2});
}

TEST(ZeroPadding, PutsZerosAroundExactCopies) {
  const auto layer =
      test::layer_of("ZeroPadding2D", {{"padding", ordered_json::parse("[[1, 0], [0, 2]]")}});
  test::LayerRun run(*layer, {{2, 1, 2}}, 1, {});
  EXPECT_EQ(run.output_shape(), (Shape{3, 3, 2}));
  run.x() = {1, -2, 3, -4};
  EXPECT_EQ(run.forward(), (Floats{0, 0, 0, 0, 0, 0, 1, -2, 0, 0, 0, 0, 3, -4, 0, 0, 0, 0}));
}

TEST(ZeroPadding, OfNothingIsACopy) {
  for (const char* class_name : {"ZeroPadding1D", "Cropping1D"}) {
    const auto layer =
        test::layer_of(class_name, {{class_name[0] == 'Z' ? "padding" : "cropping", 0}});
    test::LayerRun run(*layer, {{2, 1}}, 2, {});
    run.x() = {1, 2, 3, 4};
    EXPECT_EQ(run.forward(), run.x());
  }
}

TEST(Cropping, GivesZeroGradientsToWhatItLeavesOut) {
  const auto layer = test::layer_of("Cropping1D", {{"cropping", {1, 2}}});
  test::LayerRun run(*layer, {{5, 1}}, 1);
  EXPECT_EQ(run.output_shape(), (Shape{2, 1}));
  run.backward({3, 4});
  EXPECT_EQ(run.dx(), (Floats{0, 3, 4, 0, 0}));
}

TEST(ZeroPadding, ReadsTuplesThatKerasWritesAsObjects) {
  const auto config = ordered_json::parse(
      R"({"padding": {"class_name": "__tuple__", "items": [
            {"class_name": "__tuple__", "items": [1, 2]}, 3]}})");
  const auto layer = test::layer_of("ZeroPadding2D", config);
  EXPECT_EQ(layer->class_name(), "ZeroPadding2D");
  EXPECT_EQ(layer->config().dump(), R"({"padding":[[1,2],[3,3]],"data_format":"channels_last"})");
  EXPECT_EQ(test::layer_of("Cropping1D", kNone)->config().dump(), R"({"cropping":[1,1]})");
}

TEST(ZeroPadding, RefusesWhatItLacksByName) {
  for (const char* wrong : {"-1", "1.5", "\"same\"", "[1]", "[1, 2, 3]", "[[1, 2], [3]]", "true"})
    EXPECT_THAT(test::refusal_of("ZeroPadding2D", {{"padding", ordered_json::parse(wrong)}}),
                HasSubstr("padding: expected an integer of at least 0, or a list of 2, each such"))
        << wrong;
  EXPECT_THAT(test::refusal_of("ZeroPadding1D", {{"padding", ordered_json::parse("[[1, 1]]")}}),
              HasSubstr("padding: expected an integer of at least 0, or a list of two, got"));
  EXPECT_THAT(test::refusal_of("ZeroPadding2D", {{"data_format", "channels"}}),
              HasSubstr("data_format: expected channels_last or channels_first, got 'channels'"));
  EXPECT_THAT(test::refusal_of("ZeroPadding2D", kNone, {4, 3}),
              HasSubstr("[layer] expected an input of 4 axes (batch, 2 of positions, channels), "
                        "got (None, 4, 3)"));
  EXPECT_THAT(test::refusal_of("Cropping2D", {{"cropping", {1, 2}}}, {3, 4, 1}),
              HasSubstr("[layer] expected cropping that leaves something of (None, 3, 4, 1), got "
                        "[[1,1],[2,2]]"));
  EXPECT_EQ(test::refusal_of("Cropping2D", {{"cropping", {1, 1}}}, {3, 4, 1}), "");
}

}  // namespace
}  // namespace lockstep
