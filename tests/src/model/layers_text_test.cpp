#include "src/model/layers_text.hpp"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/layers/make_layer.hpp"
#include "src/model/model_json.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::StartsWith;

/// The config of layer i of a built model, as Keras 2's JSON has it.
ordered_json config(const Network& model, std::size_t i) {
  return model.layers()[i]->config();
}

TEST(LayersText, ReferenceProgramInKerasOwnWordsAndInShort) {
  const Network in_full = model_from_layers_text(
      "layers.Dense(64, activation='relu', input_shape=(784,)),\n"
      "tf.keras.layers.Dense(units=32, activation=tf.nn.relu), Dense(10, activation=\"softmax\"),");
  const Network in_short =
      model_from_layers_text("Input(784), Dense(64,relu),Dense( 32 , relu ) , Dense(10, softmax)");

  EXPECT_EQ(in_full.parameter_count(), 52650);
  EXPECT_EQ(in_short.parameter_count(), 52650);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(config(in_full, i), config(in_short, i + 1));
}

TEST(LayersText, KnowsEveryLayer) {
  const Network model = model_from_layers_text(
      "Input((28, 28)), Rescaling(1/255, offset=-.5), Flatten(), Dropout(rate=1e-1, seed=3), "
      "Reshape([7, -1]), Dense(4), Activation(tanh)");

  EXPECT_EQ(model.layers()[0]->class_name(), "InputLayer");
  EXPECT_EQ(config(model, 1)["scale"], 1.0 / 255);
  EXPECT_EQ(config(model, 1)["offset"], -0.5);
  EXPECT_EQ(config(model, 3)["rate"], 0.1);
  EXPECT_EQ(model.output_shape_of(4), (Shape{7, 112}));
  EXPECT_EQ(model.output_shape(), (Shape{7, 4}));
  EXPECT_EQ(config(model, 6)["activation"], "tanh");
}

TEST(LayersText, KnowsLayersThatArrangeAndThatAddNoise) {
  const Network model = model_from_layers_text(
      "Input(6), GaussianNoise(0.1), GaussianDropout(0.2), AlphaDropout(0.3), RepeatVector(4), "
      "Permute((2, 1)), SpatialDropout1D(0.4), PReLU(shared_axes=1, alpha_initializer=ones), "
      "Reshape((2, 3, 4)), SpatialDropout2D(0.5), Reshape((2, 3, 2, 2)), "
      "SpatialDropout3D(0.6, data_format=channels_first), PReLU()");

  EXPECT_EQ(config(model, 1)["stddev"], 0.1);
  EXPECT_EQ(config(model, 2)["rate"], 0.2);
  EXPECT_EQ(config(model, 3)["rate"], 0.3);
  EXPECT_EQ(model.output_shape_of(4), (Shape{4, 6}));
  EXPECT_EQ(model.output_shape_of(5), (Shape{6, 4}));
  EXPECT_EQ(config(model, 7)["shared_axes"], ordered_json::parse("[1]"));
  EXPECT_EQ(model.layers()[7]->parameters()[0].shape, (Shape{1, 4}));
  EXPECT_EQ(config(model, 9)["rate"], 0.5);
  EXPECT_EQ(config(model, 11)["data_format"], "channels_first");
  EXPECT_EQ(model.layers()[6]->name(), "spatial_dropout1d");
  EXPECT_EQ(model.layers()[12]->name(), "p_re_lu_1");
}

TEST(LayersText, ActivationsWithSettingsAreLayersOrArguments) {
  const Network model = model_from_layers_text(
      "Input(4), ReLU(6), LeakyReLU(alpha=0.1), LeakyReLU(), ELU(0.5), Dense(3, LeakyReLU(0.2)), "
      "Dense(3, activation=ReLU(max_value=1)), Softmax()");

  EXPECT_EQ(config(model, 1)["max_value"], 6.0);
  EXPECT_EQ(config(model, 2)["alpha"], 0.1);
  EXPECT_EQ(config(model, 3)["alpha"], 0.3);
  EXPECT_EQ(config(model, 4)["alpha"], 0.5);
  EXPECT_EQ(config(model, 5)["activation"], "leaky_relu");
  EXPECT_EQ(config(model, 6)["activation"], "linear");
  EXPECT_EQ(model.layers()[7]->name(), "re_lu_1");
  EXPECT_EQ(config(model, 7)["max_value"], 1.0);
  EXPECT_EQ(model.layers()[8]->class_name(), "Softmax");
}

TEST(LayersText, IsUnbuiltWithoutAnInputShape) {
  EXPECT_FALSE(model_from_layers_text("Flatten(), Dense(10)").built());
  EXPECT_TRUE(model_from_layers_text("Dense(10, input_dim=5)").built());
  EXPECT_TRUE(model_from_layers_text("InputLayer(input_shape=(5,)), Dense(10)").built());
}

TEST(LayersText, InitializersAndRegularizersAreNamesOrCalls) {
  const Network model = model_from_layers_text(
      "Dense(3, None, False, he_normal, kernel_regularizer=regularizers.l2(1e-4), name='a b', "
      "trainable=False), "
      "Dense(2, kernel_initializer=RandomNormal(0, stddev=1./8), bias_initializer=Constant(-2), "
      "bias_regularizer=l1_l2(l1=0.5, l2=0.25))");

  EXPECT_EQ(model.layers()[0]->name(), "a b");
  EXPECT_FALSE(model.layers()[0]->trainable());
  EXPECT_EQ(config(model, 0)["use_bias"], false);
  EXPECT_EQ(config(model, 0)["activation"], "linear");
  EXPECT_EQ(config(model, 0)["kernel_initializer"]["class_name"], "HeNormal");
  EXPECT_EQ(config(model, 0)["kernel_regularizer"],
            ordered_json::parse(R"({"class_name": "L2", "config": {"l2": 0.0001}})"));
  EXPECT_EQ(config(model, 1)["kernel_initializer"]["config"]["stddev"], 0.125);
  EXPECT_EQ(config(model, 1)["bias_initializer"]["config"]["value"], -2.0);
  EXPECT_EQ(config(model, 1)["bias_regularizer"]["config"]["l1"], 0.5);
}

TEST(LayersText, ConstraintsAndActivityRegularizersAreNamesOrCalls) {
  const Network model = model_from_layers_text(
      "Dense(3, kernel_constraint=constraints.MaxNorm(2.5, axis=[0]), bias_constraint=non_neg, "
      "activity_regularizer=l1(0.5)), ActivityRegularization(0.25, l2=2), "
      "Dropout(0.5, activity_regularizer=l2)");
  EXPECT_EQ(config(model, 0)["kernel_constraint"],
            ordered_json::parse(
                R"({"class_name": "MaxNorm", "config": {"max_value": 2.5, "axis": [0]}})"));
  EXPECT_EQ(config(model, 0)["bias_constraint"]["class_name"], "NonNeg");
  EXPECT_EQ(model.layers()[0]->activity_regularizer().l1, 0.5f);
  EXPECT_EQ(config(model, 1), ordered_json::parse(R"({"l1": 0.25, "l2": 2.0})"));
  EXPECT_EQ(model.layers()[2]->activity_regularizer().l2, 0.01f);
}

struct Wrong {
  const char* text;
  std::string message;
};

void PrintTo(const Wrong& wrong, std::ostream* stream) {
  *stream << wrong.text;
}

class WrongLayersText : public testing::TestWithParam<Wrong> {};

TEST_P(WrongLayersText, IsRefusedWithColumnAndExpectation) {
  expect_error(
      ExitCode::kUsage, [] { model_from_layers_text(GetParam().text); },
      StartsWith(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    LayersText, WrongLayersText,
    testing::Values(
        Wrong{"",
              "[layers] column 1: expected a layer such as Dense(64, relu), got the end of the "
              "text"},
        Wrong{"Desne(64)",
              fmt::format("[layers] column 1: expected a layer (Input, {}), got 'Desne'; did you "
                          "mean 'Dense'?",
                          fmt::join(layer_class_names(), ", "))},
        Wrong{"Input(3), Add()", "[layers] column 11: Add: expected two inputs or more, got 1"},
        Wrong{"Dot(1, normalise=True)",
              "[layers] column 8: expected an argument of Dot (axes, normalize, "},
        Wrong{"Concatenate(0)", "[layers] column 13: Concatenate: axis: expected an axis of a "},
        Wrong{"Permute((1, 3))",
              "[layers] column 9: Permute: dims: expected each of the axes 1 to "},
        Wrong{"RepeatVector(0)", "[layers] column 14: RepeatVector: n: expected an integer from 1"},
        Wrong{"GaussianNoise(-1)", "[layers] column 15: GaussianNoise: stddev: expected a number "},
        Wrong{"GaussianDropout(1)",
              "[layers] column 17: GaussianDropout: rate: expected a number "},
        Wrong{"AlphaDropout(0.1, (2, 1))",
              "[layers] column 19: AlphaDropout: noise_shape: expected null, got [2, 1]"},
        Wrong{"SpatialDropout2D(2)", "[layers] column 18: SpatialDropout2D: rate: expected a "},
        Wrong{"Conv2D(4, 3, groups=3, data_format=channels_first)",
              "[layers] column 14: Conv2D: groups: expected a divisor "},
        Wrong{"SpatialDropout2D(0.1, first)",
              "[layers] column 23: SpatialDropout2D: data_format: expected "},
        Wrong{"PReLU(shared_axes=[0])",
              "[layers] column 7: PReLU: shared_axes: expected integers "},
        Wrong{"PReLU(alpha_constraint=x)",
              "[layers] column 7: PReLU: alpha_constraint: expected null, got 'x'"},
        Wrong{"Flatten(), LocallyConnected2D(3, 3)",
              "[layers] column 12: expected a layer (Input, "},
        Wrong{"Flatten", "[layers] column 8: expected '(' after Flatten, got the end of the text"},
        Wrong{"Dense(64, relu", "[layers] column 15: expected ',' or ')', got the end of the text"},
        Wrong{"Dense(64 relu)", "[layers] column 10: expected ',' or ')', got 'relu'"},
        Wrong{"Dense(64) Dense(32)",
              "[layers] column 11: expected ',' or the end of the text, got 'Dense'"},
        Wrong{"Dense(64),, Dense(32)",
              "[layers] column 11: expected a layer such as Dense(64, relu), got ','"},
        Wrong{"Dense()",
              "[layers] column 1: Dense: units: expected an integer from 1 to 2147483647, got "
              "nothing"},
        Wrong{"Dense(6.5)", "[layers] column 7: Dense: units: expected an integer from 1 to"},
        Wrong{"Dense(-3)", "[layers] column 7: Dense: units: expected an integer from 1 to"},
        Wrong{"Dense(64, rleu)", "[layers] column 11: Dense: activation: expected one of linear, "},
        Wrong{"Dense(64, actvation=relu)",
              "[layers] column 11: expected an argument of Dense (units, activation, "},
        Wrong{"Dense(64, units=64)", "[layers] column 11: expected 'units' once, got it twice"},
        Wrong{"Dense(units=3, units=4)", "[layers] column 16: expected 'units' once, got 'units'"},
        Wrong{"Dense(units=64, relu)",
              "[layers] column 17: expected name=value behind a keyword argument, got 'relu'"},
        Wrong{"Dropout(0.2, None, 1, 2)",
              "[layers] column 23: expected at most 3 positional arguments of Dropout"},
        Wrong{"Dropout(1.5)", "[layers] column 9: Dropout: rate: expected a rate in [0, 1]"},
        Wrong{"Dropout(0.5, seed=x)", "[layers] column 14: Dropout: seed: expected an integer"},
        Wrong{"Rescaling(1/0)", "[layers] column 13: expected a number other than zero, got '0'"},
        Wrong{"Rescaling(1/)", "[layers] column 13: expected a number, got ')'"},
        Wrong{"Rescaling(1e999)", "[layers] column 11: expected a number, got '1e999'"},
        Wrong{"Rescaling(-inf)", "[layers] column 11: expected a number, got '-'"},
        Wrong{"Rescaling(scale=)", "[layers] column 17: expected a value, got ')'"},
        Wrong{"Activation('relu)",
              "[layers] column 18: expected ' to close the string of column 12, got the end of the "
              "text"},
        Wrong{"Reshape((7, 4]", "[layers] column 14: expected ',' or ')', got ']'"},
        Wrong{"Reshape((-1, -1))",
              "[layers] column 9: Reshape: target_shape: expected at most one -1, got (-1, -1)"},
        Wrong{"Flatten(), Input((3,))", "[layers] column 12: Input: expected InputLayer in front"},
        Wrong{"Dense(3), Dense(4, input_shape=(3,))",
              "[layers] column 20: Dense: input_shape: expected an input shape in the first layer"},
        Wrong{"Input(()), Dense(3)", "[layers] column 12: Dense: expected an input with a last"},
        Wrong{"Input((5,)), Flatten(), Reshape((2, 3))",
              "[layers] column 25: Reshape: expected an input of as many elements as (2, 3)"},
        Wrong{"Input(784), Dense(1000000000)",
              "[layers] column 13: Dense: expected at most 2147483647 parameters in all"},
        Wrong{"Dense(3, kernel_constraint=radial(2))",
              "[layers] column 28: expected an activation, an initializer, a regularizer or a "
              "constraint (l1, l2, "},
        Wrong{"Dense(3, kernel_constraint=radial)",
              "[layers] column 10: Dense: kernel_constraint: expected null, got 'radial'"},
        Wrong{"Input((5,)), Dense(3, kernel_constraint=max_norm(2, axis=2))",
              "[layers] column 14: Dense: expected a constraint over axes from 0 to 1 of kernel "
              "(5, 3), got axis 2"},
        Wrong{"Dense(3, name='a'), Dense(3, name='a')",
              "[layers] column 30: Dense: name: expected every layer to have a name of its own"},
        Wrong{"Dense(3, name='\x1b[31m')",
              "[layers] column 10: Dense: name: expected a name without control characters, got "
              "'\\x1b[31m'"},
        Wrong{"Dense(3)\x07",
              "[layers] column 9: expected ',' or the end of the text, got '\\x07'"},
        Wrong{"Reshape((((((((((((((((((((7))))))))))))))))))))",
              "[layers] column 26: expected at most 16 brackets in each other, got '('"}));

TEST(LayersText, ManyNestedCallsAreRefused) {
  std::string text = "Dense(";
  for (int i = 0; i < 100000; ++i) text += "l2(";

  expect_error(
      ExitCode::kUsage, [&] { model_from_layers_text(text); },
      StartsWith("[layers] column 57: expected at most 16 calls in each other"));
}

TEST(LayersText, NulByteIsRefused) {
  expect_error(
      ExitCode::kUsage, [] { model_from_layers_text(std::string("Dense(3),\0 Dense(4)", 19)); },
      StartsWith("[layers] column 10: expected a layer such as Dense(64, relu), got '\\x00'"));
}

}  // namespace
}  // namespace lockstep
