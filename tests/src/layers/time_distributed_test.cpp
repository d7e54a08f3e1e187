#include "src/layers/time_distributed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
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

ordered_json layer(const std::string& class_name, ordered_json config) {
  return {{"class_name", class_name}, {"config", std::move(config)}};
}

ordered_json sequential() {
  return {{"name", "inner"},
          {"layers",
           {layer("Conv1D", {{"name", "first"}, {"filters", 3}, {"kernel_size", 2}}),
            layer("BatchNormalization", ordered_json::object()), layer("Dropout", {{"rate", 0.3}}),
            layer("GRU", {{"units", 2}}), layer("Dense", {{"units", 2}, {"name", "second"}})}}};
}

/// A residual, whose layer is used twice.
ordered_json functional() {
  const auto with_calls = [](ordered_json its, const char* name, ordered_json calls) {
    its["name"] = its["config"]["name"] = name;
    its["inbound_nodes"] = std::move(calls);
    return its;
  };
  const auto of = [](const char* name, int call) {
    return ordered_json::array({name, call, 0, ordered_json::object()});
  };
  const auto input = [&] { return of("in", 0); };
  using List = ordered_json;
  return {{"name", "inner"},
          {"layers",
           List::array(
               {with_calls(layer("InputLayer", {{"batch_input_shape", {nullptr, 3}}}), "in",
                           List::array()),
                with_calls(layer("Dense", {{"units", 3}, {"activation", "tanh"}}), "twice",
                           List::array({List::array({input()}), List::array({of("twice", 0)})})),
                with_calls(layer("Add", ordered_json::object()), "sum",
                           List::array({List::array({input(), of("twice", 1)})}))})},
          {"input_layers", List::array({List::array({"in", 0, 0})})},
          {"output_layers", List::array({List::array({"sum", 0, 0})})}};
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
      {around("Sequential", sequential()), {3, 4, 2}},
      {around("Functional", functional()), {2, 3}},
      {around("Sequential", {{"name", "outer"},
                             {"layers",
                              {layer("TimeDistributed", around("Sequential", sequential())),
                               layer("Dropout", {{"rate", 0.2}})}}}),
       {2, 2, 4, 2}},
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

/// A model in it says the shape of its input: that of its first use.
ordered_json config_of(const Case& c) {
  const auto layer = test::layer_of("TimeDistributed", c.config);
  const test::LayerRun run(*layer, {c.input}, 1);
  return layer->config();
}

TEST(TimeDistributed, ConfigMakesTheSameLayerAgain) {
  for (const Case& c : cases()) {
    const ordered_json written = config_of(c);
    EXPECT_EQ(config_of({written, c.input}), written);
    EXPECT_EQ(written.at("layer").at("class_name"), c.config.at("layer").at("class_name"));
  }
  // Which call of a layer is made first decides in which order its gradients are added.
  EXPECT_EQ(config_of({around("Functional", functional()), {2, 3}})
                .at("layer")
                .at("config")
                .at("lockstep_calls_in_order"),
            true);
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
    stores.push_back(layer->stores()[i]);
  }
  EXPECT_THAT(paths, testing::ElementsAre("lstm_cell/kernel", "lstm_cell/recurrent_kernel",
                                          "lstm_cell/bias"));
  EXPECT_THAT(stores,
              testing::ElementsAre("layer/cell/vars/0", "layer/cell/vars/1", "layer/cell/vars/2"));
}

std::vector<std::string> paths_of(const Layer& layer) {
  std::vector<std::string> paths;
  for (const Parameter& parameter : layer.parameters()) paths.push_back(parameter.path());
  return paths;
}

TEST(TimeDistributed, OfAModelHasKerassNamesOfWeights) {
  const auto layer = test::layer_of("TimeDistributed", around("Sequential", sequential()));
  const test::LayerRun run(*layer, {{2, 3, 2}}, 1);
  EXPECT_THAT(paths_of(*layer),
              testing::IsSupersetOf({"first/kernel", "first/bias", "gru/gru_cell/recurrent_kernel",
                                     "batch_normalization/moving_mean", "second/kernel"}));
  EXPECT_EQ(layer->stores()[0], "layer/layers/conv1d/vars/0");
  EXPECT_EQ(layer->stores()[5], "layer/layers/batch_normalization/vars/3");
  EXPECT_EQ(layer->stores()[7], "layer/layers/gru/cell/vars/1");
  EXPECT_EQ(layer->stores()[10], "layer/layers/dense/vars/1");
}

/// Each of its layers is as it would be in a TimeDistributed of its own.
TEST(TimeDistributed, OfAModelHasTheBitsOfThoseOfItsLayers) {
  const auto trained = [](const std::vector<ordered_json>& layers) {
    ordered_json all =
        ordered_json::array({layer("InputLayer", {{"batch_shape", {nullptr, 3, 4}}})});
    for (const ordered_json& its : layers) all.push_back(its);
    Network model = model_from_json(layer("Sequential", {{"name", "model"}, {"layers", all}}));
    model.initialize(3);
    return model.weights_sha256();
  };
  const ordered_json first = layer("Dense", {{"units", 3}}),
                     second = layer("Dense", {{"units", 2}});
  const ordered_json inner = layer("Sequential", {{"name", "inner"}, {"layers", {first, second}}});
  EXPECT_EQ(trained({layer("TimeDistributed", {{"layer", inner}})}),
            trained({layer("TimeDistributed", {{"layer", first}}),
                     layer("TimeDistributed", {{"layer", second}})}));
}

TEST(TimeDistributed, OfAModelDrawsOtherNumbersForEachOfItsLayers) {
  const ordered_json dropout = layer("Dropout", {{"rate", 0.5}});
  const auto zeros = [&](std::vector<ordered_json> layers) {
    const auto layer =
        test::layer_of("TimeDistributed",
                       around("Sequential", {{"name", "inner"}, {"layers", std::move(layers)}}));
    test::LayerRun run(*layer, {{3, 100}}, 4, {.training = true, .seed = 3});
    std::ranges::fill(run.x(), 1.0f);
    return static_cast<double>(std::ranges::count(run.forward(), 0.0f));
  };
  EXPECT_NEAR(zeros({dropout}), 600, 90);
  EXPECT_NEAR(zeros({dropout, dropout}), 900, 90);
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
              HasSubstr("layers: expected a list of layers, got nothing"));
  const auto of = [](ordered_json its) {
    return around("Sequential", {{"name", "outer"}, {"layers", ordered_json::array({its})}});
  };
  EXPECT_THAT(refusal(of(layer("Sequential", sequential())), {3, 4, 2}),
              HasSubstr("expected a model whose layers are no models, got one with models"));
  EXPECT_THAT(refusal(of(layer("Dense", {{"units", 0}}))), HasSubstr("units"));
  EXPECT_THAT(refusal(of(layer("ZeroPadding1D", {{"padding", 1 << 30}})), {2, 1, 1}),
              HasSubstr("expected at most 2147483647 outputs a sample"));
  EXPECT_THAT(refusal(of(layer("Dense", {{"units", 2}, {"kernel_constraint", "my_constraint"}}))),
              HasSubstr("kernel_constraint"));
  EXPECT_THAT(refusal(around("Dense", {{"units", 2}, {"activity_regularizer", "l2"}})),
              HasSubstr("expected no activity_regularizer of a layer in the config of another"));
  EXPECT_THAT(refusal(of(layer("Dense", {{"units", 2}, {"activity_regularizer", "l2"}}))),
              HasSubstr("expected no activity_regularizer of a layer within it, got one"));
  expect_error(
      ExitCode::kUsage,
      [] {
        model_from_layers_text("Input((3, 4)), Masking(), Reshape((3, 2, 2)), Dense(2)");
        model_from_layers_text(
            "Input((3, 4)), Masking(), TimeDistributed(Reshape((2, 2))), TimeDistributed(LSTM(4))");
      },
      HasSubstr("expected a mask of each time step"));
}

}  // namespace
}  // namespace lockstep
