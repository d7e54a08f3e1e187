#include "src/layers/conv_lstm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/parallel.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

struct Case {
  std::string class_name;
  ordered_json config;
  Shape input;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"ConvLSTM1D",
       {{"filters", 2}, {"kernel_size", 2}, {"return_sequences", true}, {"padding", "same"}},
       {3, 4, 2}},
      {"ConvLSTM1D",
       {{"filters", 2}, {"kernel_size", 3}, {"dropout", 0.3}, {"recurrent_dropout", 0.3}},
       {2, 5, 2}},
      {"ConvLSTM2D",
       {{"filters", 1},
        {"kernel_size", {2, 3}},
        {"go_backwards", true},
        {"return_sequences", true},
        {"recurrent_activation", "hard_sigmoid"},
        {"recurrent_dropout", 0.4}},
       {3, 3, 4, 1}},
      {"ConvLSTM2D",
       {{"filters", 2}, {"kernel_size", 2}, {"use_bias", false}, {"activation", "gelu"}},
       {2, 3, 2, 1}},
      {"ConvLSTM3D", {{"filters", 1}, {"kernel_size", 2}}, {2, 2, 3, 2, 1}},
      {"Bidirectional",
       {{"layer",
         {{"class_name", "ConvLSTM1D"},
          {"config", {{"filters", 2}, {"kernel_size", 2}, {"return_sequences", true}}}}}},
       {3, 3, 1}},
  };
  return all;
}

TEST(ConvLstm, BackwardMatchesFiniteDifferences) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.class_name + c.config.dump());
    test::expect_gradients_match_finite_differences(*test::layer_of(c.class_name, c.config),
                                                    c.input, 3);
  }
}

TEST(ConvLstm, GivesTheSameBitsInBlocks) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.class_name + c.config.dump());
    test::expect_the_same_bits_in_blocks(c.class_name, c.config, {c.input});
  }
}

TEST(ConvLstm, ConfigMakesTheSameLayerAgain) {
  for (const Case& c : cases()) {
    const ordered_json written = test::layer_of(c.class_name, c.config)->config();
    EXPECT_EQ(test::layer_of(c.class_name, written)->config(), written);
  }
}

Floats outputs_of(const std::string& class_name, const ordered_json& config, const Shape& input,
                  const Pass& pass) {
  const auto layer = test::layer_of(class_name, config);
  test::LayerRun run(*layer, {input}, 3, pass);
  const RandomStream random(9, Purpose::kSynthetic, 0);
  std::uint64_t at = 0;
  for (Parameter& parameter : layer->parameters())
    for (float& value : parameter.value) value = 2 * random.uniform(at++) - 1;
  for (float& value : run.x()) value = 2 * random.uniform(at++) - 1;
  return run.forward();
}

/// A window of one position at one position: the products are an LSTM's, but for the bias, which
/// stands between them.
TEST(ConvLstm, OfOnePositionIsAnLstm) {
  const Floats wide =
      outputs_of("ConvLSTM2D", {{"filters", 3}, {"kernel_size", 1}, {"return_sequences", true}},
                 {4, 1, 1, 2}, {.training = false});
  const Floats plain =
      outputs_of("LSTM", {{"units", 3}, {"return_sequences", true}}, {4, 2}, {.training = false});
  ASSERT_EQ(wide.size(), plain.size());
  for (std::size_t i = 0; i < wide.size(); ++i) EXPECT_NEAR(wide[i], plain[i], 1e-6) << i;
}

/// The path of masks that drop nothing.
TEST(ConvLstm, DropsNothingInInference) {
  ordered_json config = {{"filters", 2}, {"kernel_size", 2}};
  const Floats plain = outputs_of("ConvLSTM1D", config, {3, 4, 2}, {.training = false});
  config.update({{"dropout", 0.5}, {"recurrent_dropout", 0.5}});
  EXPECT_EQ(outputs_of("ConvLSTM1D", config, {3, 4, 2}, {.training = false}), plain);
  EXPECT_NE(outputs_of("ConvLSTM1D", config, {3, 4, 2}, {.training = true}), plain);
}

TEST(ConvLstm, HasTheSameBitsOnOneAndThreeThreads) {
  const ordered_json config = {{"filters", 16}, {"kernel_size", 3}, {"padding", "same"}};
  const auto outputs = [&] {
    return outputs_of("ConvLSTM2D", config, {3, 9, 9, 3}, {.training = true});
  };
  const Floats one = outputs();
  set_threads(3);
  const Floats three = outputs();
  set_threads(1);
  EXPECT_EQ(one, three);
}

TEST(ConvLstm, HasKerassParameters) {
  const auto layer = test::layer_of("ConvLSTM2D", {{"filters", 3}, {"kernel_size", {2, 5}}});
  const test::LayerRun run(*layer, {{2, 6, 7, 4}}, 1);
  ASSERT_EQ(layer->parameters().size(), 3u);
  EXPECT_EQ(layer->parameters()[0].shape, (Shape{2, 5, 4, 12}));
  EXPECT_EQ(layer->parameters()[1].shape, (Shape{2, 5, 3, 12}));
  EXPECT_EQ(layer->parameters()[2].shape, (Shape{12}));
  EXPECT_EQ(layer->parameters()[1].path(), "recurrent_kernel");
  EXPECT_EQ(layer->stores()[2], "cell/vars/2");
  EXPECT_EQ(run.output_shape(), (Shape{5, 3, 3}));
}

TEST(ConvLstm, Keras2HasAnotherRecurrentActivation) {
  const ordered_json json = {{"filters", 2}, {"kernel_size", 1}};
  for (const KerasMajor keras : {KerasMajor::k2, KerasMajor::k3}) {
    KerasConfig config(
        json, [](const std::string& key) { return key; }, ExitCode::kBadData);
    config.set_keras(keras);
    EXPECT_EQ(make_layer("ConvLSTM1D", config)->config().at("recurrent_activation"),
              keras == KerasMajor::k2 ? "hard_sigmoid" : "sigmoid");
  }
}

TEST(ConvLstm, IsWrittenInOneLine) {
  const Network model = model_from_layers_text(
      "Input((5, 8, 8, 1)), ConvLSTM2D(4, 3, padding=same, return_sequences=True), "
      "Bidirectional(ConvLSTM2D(3, (3, 1))), Flatten(), Dense(2)");
  EXPECT_EQ(model.output_shape_of(1), (Shape{5, 8, 8, 4}));
  EXPECT_EQ(model.output_shape_of(2), (Shape{6, 8, 6}));
}

TEST(ConvLstm, RefusesByNameWhatItLacks) {
  const Shape input = {3, 5, 5, 2};
  const auto refusal = [&](const ordered_json& more, const Shape& shape) {
    ordered_json config = {{"filters", 2}, {"kernel_size", 3}};
    config.update(more);
    return test::refusal_of("ConvLSTM2D", config, shape);
  };
  const ordered_json nothing = ordered_json::object();
  EXPECT_EQ(refusal(nothing, input), "");
  EXPECT_THAT(refusal({{"data_format", "channels_first"}}, input), HasSubstr("data_format"));
  EXPECT_THAT(refusal({{"return_state", true}}, input), HasSubstr("return_state"));
  EXPECT_THAT(refusal({{"stateful", true}}, input), HasSubstr("stateful"));
  EXPECT_THAT(refusal({{"padding", "causal"}}, input), HasSubstr("padding"));
  EXPECT_THAT(refusal({{"dropout", 1.0}}, input), HasSubstr("dropout"));
  EXPECT_THAT(refusal({{"activation", "softmax"}}, input), HasSubstr("activation"));
  EXPECT_THAT(refusal(nothing, {3, 5, 5}),
              HasSubstr("expected an input (None, time steps, 2 axes of positions, channels)"));
  EXPECT_THAT(refusal(nothing, {3, 2, 5, 2}), HasSubstr("at least 3 x 3 positions"));
  expect_error(
      ExitCode::kUsage,
      [] {
        model_from_layers_text(
            "Input((3, 5, 2)), Masking(), ConvLSTM1D(4, 2), Flatten(), Dense(2)");
      },
      HasSubstr("expected a mask of each time step (None, 3) or of each position of the output "
                "(None, 3, 4), got (None, 3, 5)"));
}

}  // namespace
}  // namespace lockstep
