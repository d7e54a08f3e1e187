#include "src/model/transfer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "src/layers/concatenate.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "src/model/network_builder.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Weights = TransferredLayer::Weights;

Network trained(const std::string& layers, const Shape& input) {
  Network network = model_from_layers_text(layers);
  network.build(input);
  network.initialize(3);
  return network;
}

Network convolutional() {
  return trained(
      "Conv2D(2, 3, activation=relu), BatchNormalization(), Flatten(), Dense(4, relu, name=last), "
      "Dense(3, "
      "name=head), Softmax()",
      {5, 5, 1});
}

const Layer& layer_of(const Network& network, const std::string& name) {
  return **std::ranges::find(network.layers(), name, &Layer::name);
}

void expect_the_same_weights(const Layer& one, const Layer& other) {
  ASSERT_EQ(one.parameters().size(), other.parameters().size());
  for (std::size_t i = 0; i < one.parameters().size(); ++i)
    EXPECT_TRUE(std::ranges::equal(one.parameters()[i].value, other.parameters()[i].value));
}

TEST(Transfer, FreezesTheLayersOfAPattern) {
  const Network from = convolutional();
  const Network to = transfer(from, {{"conv*", "batch?norm*", "last"}, {}, ""}, 0).network;
  for (const auto& layer : from.layers()) {
    const Layer& now = layer_of(to, layer->name());
    expect_the_same_weights(*layer, now);
    for (const Parameter& parameter : now.parameters())
      EXPECT_EQ(parameter.trained(), layer->name() == "head") << layer->name();
  }
}

TEST(Transfer, UnfreezesAfterThat) {
  const Network frozen = transfer(convolutional(), {{"*"}, {"last"}, ""}, 0).network;
  EXPECT_FALSE(layer_of(frozen, "head").trainable());
  EXPECT_TRUE(layer_of(frozen, "last").trainable());
  const Network all = transfer(frozen, {{}, {"*"}, ""}, 0).network;
  for (const auto& layer : all.layers()) EXPECT_TRUE(layer->trainable()) << layer->name();
}

TEST(Transfer, FreezesWhatALayerWraps) {
  const Network from = trained("Bidirectional(LSTM(2)), Dense(1)", {3, 2});
  const Network frozen = transfer(from, {{"bidirectional"}, {}, ""}, 0).network;
  for (const Parameter& parameter : layer_of(frozen, "bidirectional").parameters())
    EXPECT_FALSE(parameter.trained());
  const Network again = transfer(frozen, {{}, {"bidirectional"}, ""}, 0).network;
  for (const Parameter& parameter : layer_of(again, "bidirectional").parameters())
    EXPECT_TRUE(parameter.trained());
  expect_the_same_weights(layer_of(from, "bidirectional"), layer_of(again, "bidirectional"));
}

TEST(Transfer, UnfreezesWhatALayerWraps) {
  nlohmann::ordered_json json = model_to_json(trained("Bidirectional(LSTM(2)), Dense(1)", {3, 2}));
  for (nlohmann::ordered_json& layer : json["config"]["layers"])
    if (layer["class_name"] == "Bidirectional")
      layer["config"]["layer"]["config"]["trainable"] = false;
  const Network from = model_from_json(json);
  ASSERT_FALSE(layer_of(from, "bidirectional").parameters()[0].trained());
  const Network to = transfer(from, {{}, {"bidirectional"}, ""}, 0).network;
  for (const Parameter& parameter : layer_of(to, "bidirectional").parameters())
    EXPECT_TRUE(parameter.trained());
}

TEST(Transfer, UnfreezesTheCellsOfAStack) {
  nlohmann::ordered_json json =
      model_to_json(trained("RNN([LSTMCell(2), GRUCell(2)]), Dense(1)", {3, 2}));
  for (nlohmann::ordered_json& layer : json["config"]["layers"])
    if (layer["class_name"] == "RNN")
      for (nlohmann::ordered_json& cell : layer["config"]["cell"]["config"]["cells"])
        cell["config"]["trainable"] = false;
  const Network from = model_from_json(json);
  ASSERT_FALSE(layer_of(from, "rnn").parameters()[0].trained());
  EXPECT_TRUE(transfer(from, {{"dense"}, {}, ""}, 0).layers.front().frozen);
  const TransferResult to = transfer(from, {{}, {"rnn"}, ""}, 0);
  EXPECT_FALSE(to.layers.front().frozen);
  for (const Parameter& parameter : layer_of(to.network, "rnn").parameters())
    EXPECT_TRUE(parameter.trained());
}

TEST(Transfer, PutsOnAHeadInThePlaceOfTheLastLayerWithWeights) {
  const Network from = convolutional();
  const TransferResult to = transfer(from, {{"*"}, {}, "Dense(7, relu), Dense(2, softmax)"}, 5);
  EXPECT_EQ(to.network.output_shape(), (Shape{2}));
  expect_the_same_weights(layer_of(from, "last"), layer_of(to.network, "last"));
  const Layer& drawn = layer_of(to.network, "dense");
  EXPECT_TRUE(drawn.trainable());
  EXPECT_TRUE(std::ranges::any_of(drawn.parameters()[0].value, [](float w) { return w != 0; }));
  const TransferResult same = transfer(from, {{"*"}, {}, "Dense(7, relu), Dense(2, softmax)"}, 5);
  EXPECT_EQ(to.network.weights_sha256(), same.network.weights_sha256());

  ASSERT_EQ(to.layers.size(), 6u);
  EXPECT_EQ(to.layers[2].name, "last");
  EXPECT_EQ(to.layers[2].from, Weights::kKept);
  EXPECT_TRUE(to.layers[2].frozen);
  EXPECT_EQ(to.layers[3].name, "dense");
  EXPECT_EQ(to.layers[3].weights, 4 * 7 + 7);
  EXPECT_EQ(to.layers[3].from, Weights::kNew);
  EXPECT_EQ(to.layers[5].name, "head");
  EXPECT_EQ(to.layers[5].from, Weights::kLeftBehind);
}

TEST(Transfer, OfAGraphKeepsItsBranches) {
  NetworkBuilder builder("branches");
  const auto input = builder.input({4});
  const auto left = builder.apply(builder.add("left", "Dense(3, relu)"), input);
  const auto right = builder.apply(builder.add("right", "Dense(3, tanh)"), input);
  const auto both = builder.apply(builder.add(std::make_unique<Concatenate>()), {left, right});
  Network from = builder.build({builder.apply(builder.add("head", "Dense(2)"), both)});
  from.initialize(1);
  const Network to = transfer(from, {{}, {}, "Dense(5)"}, 0).network;
  EXPECT_EQ(to.output_shape(), (Shape{5}));
  EXPECT_EQ(to.layers().size(), from.layers().size());
  for (std::size_t i = 0; i + 1 < to.layers().size(); ++i)
    expect_the_same_weights(layer_of(from, to.layers()[i]->name()), *to.layers()[i]);

  NetworkBuilder merged("merged");
  const auto x = merged.input({4});
  const auto y = merged.apply(merged.add("dense", "Dense(4)"), x);
  const Network ends_merged =
      merged.build({merged.apply(merged.add(std::make_unique<Concatenate>()), {x, y})});
  expect_error(
      ExitCode::kUsage,
      [&] {
        transfer(ends_merged, {{}, {}, "Dense(5)"}, 0);
      },
      AllOf(HasSubstr("expected a chain of layers"), HasSubstr("'concatenate'")));
}

TEST(Transfer, RefusesNamesAndHeadsThatDoNotFit) {
  const Network from = convolutional();
  expect_error(
      ExitCode::kUsage,
      [&] {
        transfer(from, {{"conv3d*"}, {}, ""}, 0);
      },
      AllOf(HasSubstr("expected the name of a layer (conv2d_input, conv2d, batch_norm"),
            HasSubstr("got 'conv3d*'")));
  expect_error(
      ExitCode::kUsage,
      [&] {
        transfer(from, {{}, {}, "Dens(5)"}, 0);
      },
      HasSubstr("[layers] column 1"));
  expect_error(
      ExitCode::kUsage,
      [&] {
        transfer(from, {{}, {}, "Conv2D(5, 3)"}, 0);
      },
      HasSubstr("[layers] column 1: Conv2D"));
  expect_error(
      ExitCode::kUsage,
      [&] {
        transfer(from, {{}, {}, "Dense(5, name=last)"}, 0);
      },
      HasSubstr("'last' twice"));
  expect_error(
      ExitCode::kUsage,
      [&] {
        transfer(trained("Flatten()", {2, 2}), {{}, {}, "Dense(5)"}, 0);
      },
      HasSubstr("expected a chain of layers from the last one with weights"));
}

}  // namespace
}  // namespace lockstep
