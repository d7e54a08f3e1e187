#include "src/layers/time_distributed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

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

ordered_json around(const std::string& class_name, const ordered_json& inner) {
  return {{"layer", {{"class_name", class_name}, {"config", inner}}}};
}

struct Case {
  ordered_json config;
  Shape input;
};

/// What is one op and several, looks across samples, is random, has another shape, is an alias.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {around("Dense", {{"units", 3}, {"activation", "tanh"}}), {4, 2}},
      {around("Conv2D", {{"filters", 2}, {"kernel_size", 2}, {"padding", "same"}}), {2, 3, 3, 2}},
      {around("Conv2D", {{"filters", 2}, {"kernel_size", 2}, {"data_format", "channels_first"}}),
       {2, 2, 3, 3}},
      {around("BatchNormalization", ordered_json::object()), {3, 2}},
      {around("Dropout", {{"rate", 0.4}}), {3, 5}},
      {around("MaxPooling1D", {{"pool_size", 2}}), {3, 4, 2}},
      {around("Bidirectional", around("GRU", {{"units", 2}, {"recurrent_dropout", 0.3}})),
       {2, 3, 2}},
      {around("TransformerEncoder", {{"intermediate_dim", 3}, {"num_heads", 2}, {"dropout", 0.2}}),
       {2, 3, 4}},
      {around("TimeDistributed", around("Dense", {{"units", 2}})), {2, 3, 3}},
      {around("PReLU", ordered_json::object()), {3, 4}},
  };
  return all;
}

TEST(TimeDistributed, BackwardMatchesFiniteDifferences) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    test::expect_gradients_match_finite_differences(*test::layer_of("TimeDistributed", c.config),
                                                    c.input, 3);
  }
}

TEST(TimeDistributed, GivesTheSameBitsInBlocks) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    test::expect_the_same_bits_in_blocks("TimeDistributed", c.config, {c.input});
  }
}

TEST(TimeDistributed, ConfigMakesTheSameLayerAgain) {
  for (const Case& c : cases()) {
    const ordered_json written = test::layer_of("TimeDistributed", c.config)->config();
    EXPECT_EQ(test::layer_of("TimeDistributed", written)->config(), written);
    EXPECT_EQ(written.at("layer").at("class_name"), c.config.at("layer").at("class_name"));
  }
  const ordered_json hub =
      test::layer_of("TimeDistributed", around("PositionEmbedding", {{"sequence_length", 3}}))
          ->config();
  EXPECT_EQ(hub.at("layer").at("registered_name"), "keras_hub>PositionEmbedding");
}

/// The layer on rows that are the steps of the others.
void expect_the_bits_of(const std::string& class_name, const ordered_json& inner,
                        const Shape& step) {
  SCOPED_TRACE(class_name);
  constexpr std::int64_t kRows = 5, kSteps = 3;
  const auto wrapper = test::layer_of("TimeDistributed", around(class_name, inner));
  const auto layer = test::layer_of(class_name, inner);
  Shape input = step;
  input.insert(input.begin(), kSteps);
  const Pass pass{.training = true, .seed = 3, .step = 2, .writes_state = true};
  test::LayerRun run(*wrapper, {input}, kRows, pass), rows(*layer, {step}, kRows * kSteps, pass);
  const RandomStream random(7, Purpose::kSynthetic, 0);
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < layer->parameters().size(); ++i)
    for (std::size_t j = 0; j < layer->parameters()[i].value.size(); ++j)
      wrapper->parameters()[i].value[j] = layer->parameters()[i].value[j] =
          random.uniform(at++) + 0.1f;
  for (float& value : run.x()) value = 2 * random.uniform(at++) - 1;
  rows.x() = run.x();
  const Floats y = run.forward();
  EXPECT_EQ(y, rows.forward());
  Floats dy(y.size());
  for (float& value : dy) value = 2 * random.uniform(at++) - 1;
  run.backward(dy);
  rows.backward(dy);
  EXPECT_EQ(run.dx(), rows.dx());
}

TEST(TimeDistributed, HasTheBitsOfTheLayerOnRowsThatAreSteps) {
  expect_the_bits_of("Dense", {{"units", 3}}, {4});
  expect_the_bits_of("Dropout", {{"rate", 0.5}}, {7});
  expect_the_bits_of("BatchNormalization", ordered_json::object(), {3});
  expect_the_bits_of("LSTM", {{"units", 3}, {"recurrent_dropout", 0.5}}, {4, 2});
}

TEST(TimeDistributed, HasKerassNamesOfWeights) {
  const auto layer =
      test::layer_of("TimeDistributed", around("LSTM", {{"units", 2}, {"name", "inside"}}));
  const test::LayerRun run(*layer, {{2, 3, 2}}, 1);
  std::vector<std::string> paths, stores;
  for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
    paths.push_back(layer->parameters()[i].path());
    stores.push_back(layer->store_of(i));
  }
  EXPECT_THAT(paths, testing::ElementsAre("lstm_cell/kernel", "lstm_cell/recurrent_kernel",
                                          "lstm_cell/bias"));
  EXPECT_THAT(stores,
              testing::ElementsAre("layer/cell/vars/0", "layer/cell/vars/1", "layer/cell/vars/2"));
}

TEST(TimeDistributed, IsFrozenWithItsLayer) {
  ordered_json config = around("Dense", {{"units", 2}});
  config["trainable"] = false;
  const auto layer = test::layer_of("TimeDistributed", config);
  const test::LayerRun run(*layer, {{3, 2}}, 1);
  for (const Parameter& parameter : layer->parameters()) EXPECT_FALSE(parameter.trained());
}

TEST(TimeDistributed, IsWrittenInOneLine) {
  const Network model = model_from_layers_text(
      "Input((3, 8, 8, 1)), TimeDistributed(Conv2D(4, 3, activation=relu)), "
      "TimeDistributed(Flatten()), TimeDistributed(layer=Dense(5, name=mine)), LSTM(6), Dense(2)");
  EXPECT_EQ(model.output_shape_of(1), (Shape{3, 6, 6, 4}));
  EXPECT_EQ(model.output_shape_of(2), (Shape{3, 144}));
  EXPECT_EQ(model.output_shape_of(3), (Shape{3, 5}));
}

TEST(TimeDistributed, RefusesByNameWhatItLacks) {
  const auto refusal = [](const ordered_json& config, const Shape& input = {3, 2}) {
    return test::refusal_of("TimeDistributed", config, input);
  };
  const ordered_json inner = {{"units", 2}};
  EXPECT_EQ(refusal(around("Dense", inner)), "");
  EXPECT_THAT(refusal(around("Dense", inner), {3}),
              HasSubstr("expected an input (None, time steps, features ...), got (None, 3)"));
  EXPECT_THAT(refusal(ordered_json::object()), HasSubstr("layer: expected a layer, got nothing"));
  EXPECT_THAT(refusal(around("Add", ordered_json::object())),
              HasSubstr("layer: expected a layer of one input, got Add"));
  EXPECT_THAT(refusal(around("Dense", {{"units", 0}})), HasSubstr("units"));
  EXPECT_THAT(refusal(around("Sequential", ordered_json::object())),
              HasSubstr("layer: class_name: expected one of InputLayer"));
  EXPECT_THAT(refusal(around("Masking", ordered_json::object()), {3, 2, 2}),
              HasSubstr("expected a layer that makes no mask of each step, got Masking"));
  expect_error(
      ExitCode::kUsage,
      [] {
        model_from_layers_text("Input((3, 4, 2)), Masking(), TimeDistributed(LSTM(4)), Dense(2)");
      },
      HasSubstr("expected an input without a mask, got one with a mask"));
}

}  // namespace
}  // namespace lockstep
