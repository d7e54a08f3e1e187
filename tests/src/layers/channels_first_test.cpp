// Layers whose data_format is channels_first: tests/reference/layers/ChannelsFirst.json has Keras's
// numbers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

const ordered_json kConvolution = {{"filters", 2},
                                   {"kernel_size", 2},
                                   {"strides", 2},
                                   {"padding", "same"},
                                   {"data_format", "channels_first"}};

TEST(ChannelsFirst, BackwardMatchesFiniteDifferences) {
  test::expect_gradients_match_finite_differences(*test::layer_of("Conv2D", kConvolution),
                                                  {3, 4, 5}, 2);
  test::expect_gradients_match_finite_differences(
      *test::layer_of("Flatten", {{"data_format", "channels_first"}}), {3, 2, 2}, 2);
}

TEST(ChannelsFirst, GiveTheSameBitsInBlocks) {
  test::expect_the_same_bits_in_blocks("Conv2D", kConvolution, {{3, 4, 5}});
}

std::size_t ops_of(const std::string& layers) {
  return model_from_layers_text(layers).graph().ops();
}

/// Permutations of which one takes the other back, or that move nothing, cost nothing.
TEST(ChannelsFirst, AreRearrangedOnlyWhereAnotherOrderIsRead) {
  const std::string convolutions =
      "Conv2D(4, 3, data_format=channels_first), Conv2D(5, 1, data_format=channels_first), ";
  EXPECT_EQ(ops_of("Input((3, 6, 6)), " + convolutions + "Flatten(channels_first)"), 3u);
  EXPECT_EQ(ops_of("Input((1, 6, 6)), " + convolutions + "Flatten(channels_first)"), 2u);
  EXPECT_EQ(ops_of("Input((3, 6, 6)), " + convolutions + "Flatten()"), 4u);
  EXPECT_EQ(ops_of("Input((3, 6, 6)), " + convolutions + "Permute((2, 3, 1)), Flatten()"), 3u);
  EXPECT_EQ(ops_of("Input((3, 6, 6)), " + convolutions + "Activation(elu), Flatten()"), 5u);
}

TEST(ChannelsFirst, KeepTheirShapesAndAreWrittenAsTheyWere) {
  const Network model = model_from_layers_text(
      "Input((3, 8, 6)), Conv2D(4, 3, data_format=channels_first), "
      "MaxPooling2D(2, data_format=channels_first), Flatten(channels_first), Dense(2)");
  EXPECT_EQ(model.output_shape_of(1), (Shape{4, 6, 4}));
  EXPECT_EQ(model.output_shape_of(2), (Shape{4, 3, 2}));
  EXPECT_EQ(model.layers()[1]->parameters()[0].shape, (Shape{3, 3, 3, 4}));
  const ordered_json json = model_to_json(model);
  for (const std::size_t layer : {1u, 2u, 3u})
    EXPECT_EQ(json["config"]["layers"][layer]["config"]["data_format"], "channels_first");
}

TEST(ChannelsFirst, AreRefusedByNameWhereTheyMeanSomethingElse) {
  ordered_json config = kConvolution;
  config["activation"] = "softmax";
  EXPECT_EQ(test::refusal_of("Conv2D", config),
            "activation: expected none that goes over the last axis, together with "
            "channels_first, got 'softmax'");
  config = kConvolution;
  config["data_format"] = "channels";
  EXPECT_EQ(test::refusal_of("Conv2D", config),
            "data_format: expected channels_last or channels_first, got 'channels'");
  EXPECT_THAT(test::refusal_of("Dense", {{"units", 2}, {"data_format", "channels_first"}}),
              HasSubstr("data_format: expected no such key"));
}

}  // namespace
}  // namespace lockstep
