#include "src/model/model_json.hpp"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/make_layer.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;

// The complete example of keras-semantics 6.1.6, as Keras 2 writes the reference network.
constexpr const char* kReference = R"json(
{"class_name": "Sequential",
 "config": {
  "name": "sequential",
  "layers": [
   {"class_name": "InputLayer",
    "config": {"batch_input_shape": [null, 784], "dtype": "float32", "sparse": false, "ragged": false, "name": "dense_input"}},
   {"class_name": "Dense",
    "config": {"name": "dense", "trainable": true, "dtype": "float32", "batch_input_shape": [null, 784],
     "units": 64, "activation": "relu", "use_bias": true,
     "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
     "bias_initializer": {"class_name": "Zeros", "config": {}},
     "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null,
     "kernel_constraint": null, "bias_constraint": null}},
   {"class_name": "Dense",
    "config": {"name": "dense_1", "trainable": true, "dtype": "float32",
     "units": 32, "activation": "relu", "use_bias": true,
     "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
     "bias_initializer": {"class_name": "Zeros", "config": {}},
     "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null,
     "kernel_constraint": null, "bias_constraint": null}},
   {"class_name": "Dense",
    "config": {"name": "dense_2", "trainable": true, "dtype": "float32",
     "units": 10, "activation": "softmax", "use_bias": true,
     "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
     "bias_initializer": {"class_name": "Zeros", "config": {}},
     "kernel_regularizer": null, "bias_regularizer": null, "activity_regularizer": null,
     "kernel_constraint": null, "bias_constraint": null}}
  ]}})json";

// The form of keras-semantics 6.2, as Keras 3 writes it.
constexpr const char* kKeras3 = R"json(
{"module": "keras", "class_name": "Sequential",
 "config": {"name": "sequential", "trainable": true,
   "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
   "layers": [
    {"module": "keras.layers", "class_name": "InputLayer",
     "config": {"batch_shape": [32, 28, 28], "dtype": "float32", "sparse": false, "ragged": false, "name": "input_layer", "optional": false}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Rescaling",
     "config": {"name": "rescaling", "trainable": true, "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
       "scale": 0.00392156862745098, "offset": 0}, "registered_name": null, "build_config": {"input_shape": [null, 28, 28]}},
    {"module": "keras.layers", "class_name": "Flatten",
     "config": {"name": "flatten", "trainable": true, "dtype": "float32", "data_format": "channels_last"}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Reshape",
     "config": {"name": "reshape", "trainable": true, "dtype": "float32", "target_shape": {"class_name": "__tuple__", "items": [4, -1]}}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Dense",
     "config": {"name": "dense", "trainable": false, "dtype": "float32",
       "units": 8, "activation": {"module": "builtins", "class_name": "function", "config": "silu", "registered_name": "silu"}, "use_bias": false,
       "kernel_initializer": {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": null}, "registered_name": null},
       "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": null},
       "kernel_regularizer": {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.5}, "registered_name": null},
       "bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null, "quantization_config": null},
     "registered_name": null, "build_config": {"input_shape": [null, 4, 196]}},
    {"module": "keras.layers", "class_name": "Dropout",
     "config": {"name": "dropout", "trainable": true, "dtype": "float32", "rate": 0.25, "seed": 42, "noise_shape": null}, "registered_name": null},
    {"module": "keras.layers", "class_name": "Activation",
     "config": {"name": "activation", "trainable": true, "dtype": "float32", "activation": "softmax"}, "registered_name": null}
   ],
   "build_input_shape": [null, 28, 28]},
 "registered_name": null,
 "build_config": {"input_shape": [null, 28, 28]},
 "compile_config": {"optimizer": "adam"}})json";

/// The reference network's JSON with one change.
ordered_json changed(const char* pointer, const ordered_json& value) {
  ordered_json json = ordered_json::parse(kReference);
  json[ordered_json::json_pointer(pointer)] = value;
  return json;
}

void expect_refused(const ordered_json& json, const std::string& message) {
  expect_error(
      ExitCode::kBadData, [&] { model_from_json(json); }, HasSubstr(message));
}

void expect_text_refused(const std::string& text, const std::string& message) {
  expect_error(
      ExitCode::kBadData, [&] { model_from_json_text(text); }, HasSubstr(message));
}

TEST(ModelJson, Keras2ReferenceNetworkRoundTripsToTheSameText) {
  const Network model = model_from_json_text(kReference);

  EXPECT_TRUE(model.built());
  EXPECT_EQ(model.input_shape(), Shape{784});
  EXPECT_EQ(model.parameter_count(), 52650);
  EXPECT_EQ(model_to_json(model).dump(), ordered_json::parse(kReference).dump());
}

TEST(ModelJson, ReadsWhatKeras3Writes) {
  const Network model = model_from_json_text(kKeras3);

  EXPECT_EQ(model.layers().size(), 7u);
  EXPECT_EQ(model.input_shape(), (Shape{28, 28}));
  EXPECT_EQ(model.output_shape(), (Shape{4, 8}));
  EXPECT_FALSE(model.layers()[4]->trainable());
  EXPECT_EQ(model.layers()[4]->parameters().size(), 1u);
  EXPECT_FALSE(model.layers()[4]->parameters()[0].trained());
  EXPECT_EQ(model.layers()[4]->parameters()[0].regularizer.l2, 0.5f);
}

TEST(ModelJson, Keras3ModelIsWrittenAsKeras2Model) {
  const ordered_json written = model_to_json(model_from_json_text(kKeras3));
  const ordered_json& layers = written["config"]["layers"];

  EXPECT_EQ(layers[0]["config"]["batch_input_shape"], ordered_json::parse("[null, 28, 28]"));
  EXPECT_EQ(layers[0]["config"]["name"], "input_layer");
  EXPECT_EQ(layers[4]["config"]["activation"], "swish");
  EXPECT_EQ(layers[4]["config"]["trainable"], false);
  EXPECT_EQ(layers[4]["config"]["kernel_initializer"],
            ordered_json::parse(R"({"class_name": "HeNormal", "config": {"seed": null}})"));
  EXPECT_EQ(model_to_json(model_from_json(written)), written);
}

TEST(ModelJson, BuildsWithoutAnInputLayerFromTheFirstLayersShape) {
  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"].erase(0);

  const Network model = model_from_json(json);

  EXPECT_EQ(model.layers().size(), 3u);
  EXPECT_EQ(model_to_json(model), ordered_json::parse(kReference));
}

TEST(ModelJson, StaysUnbuiltIfNothingSaysTheInputShape) {
  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"].erase(0);
  json["config"]["layers"][0]["config"].erase("batch_input_shape");

  Network model = model_from_json(json);
  EXPECT_FALSE(model.built());
  expect_error(
      ExitCode::kUsage, [&] { model_to_json(model); }, HasSubstr("expected build()"));

  json["config"]["build_input_shape"] = {nullptr, 784};
  EXPECT_TRUE(model_from_json(json).built());
}

TEST(ModelJson, ReadsTheLayerListOfOldKerasAndMissingKeysByDefault) {
  const Network model = model_from_json_text(
      R"({"class_name": "Sequential", "config": [
          {"class_name": "Dense", "config": {"units": 3, "batch_input_shape": [null, 5]}}]})");

  EXPECT_EQ(model.parameter_count(), 18);
  EXPECT_EQ(model.layers()[0]->name(), "dense");
}

TEST(ModelJson, FrozenModelFreezesItsLayers) {
  const Network model = model_from_json(changed("/config/trainable", false));

  for (const auto& layer : model.layers()) EXPECT_FALSE(layer->trainable());
}

TEST(ModelJson, RefusesWhatLockstepLacksByNameAndPlace) {
  const ordered_json max_norm = {{"class_name", "MaxNorm"}, {"config", {{"max_value", 2}}}};

  expect_refused(changed("/config/layers/2/config/kernel_constraint", max_norm),
                 "model JSON: config.layers[2] (dense_1): kernel_constraint: expected null, got "
                 "MaxNorm");
  expect_refused(changed("/config/layers/2/config/activity_regularizer", "l2"),
                 "config.layers[2] (dense_1): activity_regularizer: expected null, got 'l2'");
  expect_refused(
      changed("/config/layers/1/class_name", "ConvLSTM2D"),
      fmt::format("config.layers[1] (dense): class_name: expected one of {}, got 'ConvLSTM2D'",
                  fmt::join(layer_class_names(), ", ")));
  expect_refused(changed("/config/layers/1/class_name", "dense"), "did you mean 'Dense'?");
  expect_refused(changed("/config/layers/3/config/activation", "sparsemax"),
                 "config.layers[3] (dense_2): activation: expected one of linear, relu");
  expect_refused(changed("/config/layers/3/config/activation", max_norm),
                 "activation: expected the name of an activation, got MaxNorm");
  expect_refused(changed("/config/layers/3/config/unit", 7),
                 "config.layers[3] (dense_2): unit: expected no such key, got 7; did you mean "
                 "'units'?");
  expect_refused(changed("/config/layers/1/config/kernel_initializer", "my_init"),
                 "config.layers[1] (dense): kernel_initializer: expected one of");
  expect_refused(changed("/config/layers/1/config/kernel_regularizer", "orthogonal_regularizer"),
                 "config.layers[1] (dense): kernel_regularizer: expected one of");
  expect_refused(changed("/config/layers/1/config/dtype", "int8"),
                 "dtype: expected a floating type or policy (float32, float64, mixed_float16, "
                 "...), got 'int8'");
  expect_refused(changed("/config/layers/0/config/sparse", true),
                 "config.layers[0] (dense_input): sparse: expected false, got true");
  expect_refused(changed("/class_name", "MyModel"),
                 "model JSON: class_name: expected 'Sequential', 'Functional' or 'Model', got "
                 "MyModel");
  expect_refused(changed("/config/layers/1/registered_name", "my_package>Dense"),
                 "config.layers[1].registered_name: expected null");
  expect_refused(changed("/config/layers/1/module", "my_package"),
                 "config.layers[1].module: expected a module of Keras, got 'my_package'");
  expect_refused(changed("/config/layers/1/inbound_nodes", {1}),
                 "config.layers[1].inbound_nodes: expected no such key, got [1]");
  expect_refused(changed("/config/sharding", "model"),
                 "config.sharding: expected no such key, got 'model'");
  expect_refused(changed("/extra", 1), "model JSON: extra: expected no such key, got 1");
}

TEST(ModelJson, RefusesWrongValuesByPlace) {
  expect_refused(changed("/config/layers/1/config/units", "64"),
                 "config.layers[1] (dense): units: expected an integer from 1 to 2147483647, got "
                 "'64'");
  expect_refused(changed("/config/layers/1/config/units", 64.5), "got 64.5");
  expect_refused(changed("/config/layers/1/config/units", 0), "units: expected an integer");
  expect_refused(changed("/config/layers/1/config/units", 18446744073709551615u),
                 "units: expected an integer from 1 to 2147483647, got 18446744073709551615");
  expect_refused(changed("/config/layers/1/config/use_bias", 1),
                 "use_bias: expected true or false, got 1");
  expect_refused(changed("/config/layers/1/config", {1, 2}),
                 "config.layers[1]: expected an object, got [1, 2]");
  expect_refused(changed("/config/layers", ordered_json::array()),
                 "config.layers: expected a list of layers, got []");
  expect_refused(changed("/config/layers", nullptr), "config.layers: expected a list of layers");
  expect_refused(changed("/config/layers/0/config/batch_input_shape", {nullptr, nullptr}),
                 "batch_input_shape: expected extents from 1 to 2147483647, got null");
  expect_refused(changed("/config/build_input_shape", {nullptr, 783}),
                 "expected (None, 783) as the model was built for, got (None, 784)");
  expect_refused(changed("/config/layers/2", 1), "config.layers[2]: expected an object, got 1");
  expect_text_refused("[]", "model JSON: expected an object, got []");
  expect_text_refused(
      "{}", "model JSON: class_name: expected 'Sequential', 'Functional' or 'Model', got nothing");
}

TEST(ModelJson, RefusesAnInputLayerBehindOthers) {
  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"][2] = json["config"]["layers"][0];
  json["config"]["layers"][2]["config"]["name"] = "late";

  expect_refused(json, "config.layers[2] (late): expected InputLayer in front of all layers only");
}

TEST(ModelJson, RefusesTwoLayersOfOneName) {
  expect_refused(changed("/config/layers/2/config/name", "dense"),
                 "config.layers[2] (dense): name: expected every layer to have a name of its own, "
                 "got 'dense' twice");
}

TEST(ModelJson, RefusesShapesThatDoNotFitByPlace) {
  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"][2] = {{"class_name", "Reshape"},
                                 {"config", {{"name", "grid"}, {"target_shape", {7, 9}}}}};

  expect_refused(json,
                 "config.layers[2] (grid): expected an input of as many elements as (7, 9), "
                 "got (None, 64)");
}

TEST(ModelJson, RefusesAThousandMillionUnitsBeforeAllocating) {
  expect_refused(changed("/config/layers/1/config/units", 1000000000),
                 "config.layers[1] (dense): expected at most 2147483647 parameters in all, got "
                 "784000000000 for the kernel (784, 1000000000) alone");
  ordered_json wide = changed("/config/layers/0/config/batch_input_shape",
                              {nullptr, 2000000000, 2000000000, 2000000000});
  expect_refused(wide, "batch_input_shape: expected fewer than 2^63 elements");
}

TEST(ModelJson, CountsTheParametersOfAllLayers) {
  ordered_json json = ordered_json::parse(kReference);
  for (const int i : {1, 2, 3}) json["config"]["layers"][i]["config"]["units"] = 40000;

  expect_refused(json,
                 "config.layers[3] (dense_2): expected at most 2147483647 parameters in all, "
                 "got 1600000000 for the kernel (40000, 40000) alone");
}

TEST(ModelJson, SyntaxErrorsNameLineAndColumn) {
  expect_text_refused("", "model JSON: line 1, column 1: syntax error");
  expect_text_refused("{\"class_name\": \"Sequential\",\n \"config\": {]}",
                      "model JSON: line 2, column 13: syntax error");
  expect_text_refused("{\"a\": 1e999}", "model JSON: number overflow");
  expect_text_refused("{\"a\": NaN}", "model JSON: line 1, column 7: syntax error");
  expect_text_refused(std::string("{\0}", 3), "model JSON: line 1, column 2: syntax error");
  expect_text_refused("{\"\xff\": 1}", "model JSON: line 1, column 3: syntax error");
}

TEST(ModelJson, RefusesAKeyThatStandsTwice) {
  expect_text_refused(R"({"class_name": "Sequential", "class_name": "Model"})",
                      "expected every key of an object once, got 'class_name' twice");
}

TEST(ModelJson, RefusesDeepNesting) {
  expect_text_refused("{\n\"config\": " + std::string(100000, '['),
                      "model JSON: line 2, column 74: expected at most 64 levels of nesting");
  ordered_json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = ordered_json::array({std::move(deep)});
  expect_refused(deep, "expected at most 64 levels of nesting");
}

TEST(ModelJson, BracketsInStringsAreNoNesting) {
  const std::string name = "\"" + std::string(100, '[') + "\\\"\"";
  expect_text_refused("{\"class_name\": " + name + "}", "or 'Model', got [[[");
}

TEST(ModelJson, RefusesHugeObjectsAndLists) {
  std::string keys = "{\"k\": 0";
  for (int i = 0; i < 2000; ++i) keys += fmt::format(", \"k{}\": 0", i);
  expect_text_refused(keys + "}", "expected at most 200 keys in an object");

  ordered_json json = ordered_json::parse(kReference);
  json["config"]["layers"] = std::vector<int>(20000, 1);
  expect_refused(json, "config.layers: expected at most 10000 layers, got 20000");
}

TEST(ModelJson, NamesAllThatIsMissingInOneMessage) {
  ordered_json json = changed("/config/layers/1/class_name", "ConvLSTM2D");
  json["config"]["layers"][2]["config"]["units"] = "many";
  json["config"]["layers"][2]["config"]["activation"] = "my_activation";
  json["config"]["layers"][3]["class_name"] = "ConvLSTM2D";
  expect_error(
      ExitCode::kBadData, [&] { model_from_json(json); },
      AllOf(HasSubstr("4 problems: (1) model JSON: config.layers[1] (dense): class_name; model "
                      "JSON: config.layers[3] (dense_2): class_name: expected one of"),
            HasSubstr("(2) model JSON: config.layers[2] (dense_1): units: expected an integer"),
            HasSubstr("(3) model JSON: config.layers[2] (dense_1): activation: expected"),
            HasSubstr("got 'my_activation'")));
}

TEST(ModelJson, RefusesNamesThatNoFileCanHold) {
  for (const char* name : {".", "a/./b", "/a", "a//b", "a/", "top_level_model_weights"})
    expect_refused(changed("/config/layers/1/config/name", name), "can stand in a path of HDF5");
  expect_refused(changed("/config/layers/1/config/name", std::string(20000, 'n')),
                 "name: expected a name of at most 10000 bytes");
  expect_refused(changed("/config/layers/1/config/name", std::string("a\0b", 3)),
                 "name: expected a name without control characters");
  EXPECT_TRUE(model_from_json(changed("/config/layers/1/config/name", "a/..")).built());
}

TEST(ModelJson, TenThousandLayersWithoutNamesAreReadInNoTime) {
  ordered_json json = ordered_json::parse(kReference);
  ordered_json& layers = json["config"]["layers"];
  while (layers.size() < 10000)
    layers.push_back({{"class_name", "Dropout"}, {"config", {{"rate", 0.5}}}});
  EXPECT_EQ(model_from_json_text(json.dump()).layers().back()->name(), "dropout_9995");
}

TEST(ModelJson, RefusesMoreBytesThanItReads) {
  expect_text_refused("[" + std::string(70 << 20, ' ') + "]",
                      "expected at most 67108864 bytes of JSON");
}

// --- Functional models, and models as layers ---

ordered_json dense(const std::string& name, int units) {
  return {{"class_name", "Dense"}, {"config", {{"name", name}, {"units", units}}}, {"name", name}};
}

ordered_json input(const std::string& name) {
  return {{"class_name", "InputLayer"},
          {"config", {{"name", name}, {"batch_input_shape", {nullptr, 4}}}},
          {"name", name},
          {"inbound_nodes", ordered_json::array()}};
}

ordered_json after(ordered_json layer, const std::vector<std::string>& inputs) {
  ordered_json node = ordered_json::array();
  for (const std::string& name : inputs) node.push_back({name, 0, 0, ordered_json::object()});
  layer["inbound_nodes"] = ordered_json::array({node});
  return layer;
}

ordered_json functional(const ordered_json& layers, const std::string& output) {
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "model"},
            {"layers", layers},
            {"input_layers", {{"in", 0, 0}}},
            {"output_layers", {{output, 0, 0}}}}}};
}

TEST(ModelJson, FunctionalChainIsReadInItsOwnOrder) {
  const ordered_json json = functional({after(dense("c", 3), {"b"}), after(dense("b", 2), {"a"}),
                                        input("in"), after(dense("a", 5), {"in"})},
                                       "c");
  const Network model = model_from_json(json);

  ASSERT_EQ(model.layers().size(), 4u);
  EXPECT_EQ(model.layers()[1]->name(), "a");
  EXPECT_EQ(model.layers()[3]->name(), "c");
  EXPECT_EQ(model.output_shape(), Shape{3});
  EXPECT_EQ(model_to_json(model)["class_name"], "Sequential");
}

TEST(ModelJson, GraphsThatMakeNoNetworkAreRefusedByTheLayersNames) {
  const auto graph = [](const ordered_json& layers) { return functional(layers, "a"); };
  const ordered_json in = input("in"), a = after(dense("a", 4), {"in"});
  expect_refused(graph({in, a, after(dense("b", 4), {"a"})}),
                 "(b): expected every layer to lead to an output");
  expect_refused(graph({in, input("other"), a}),
                 "(other): expected every InputLayer among input_layers");
  expect_refused(graph({in, after(dense("a", 4), {"nobody"})}),
                 "(a): expected the name of a layer as input, got nobody");
  expect_refused(graph({in, after(dense("a", 4), {"b"}), after(dense("b", 4), {"a"})}),
                 "expected inputs that do not depend on the layer itself, got b at model JSON: "
                 "config.layers[1] (a)");
  expect_refused(graph({in, dense("a", 4)}), "(a): expected an input of the layer, got none");
  expect_refused(graph({in, a, after(dense("a", 4), {"in"})}),
                 "expected every layer to have a name of its own, got it twice at model JSON: "
                 "config.layers[2] (a)");
  expect_refused(graph({in, after(dense("a", 4), {"in", "in"})}), "(a): expected one input, got 2");
  expect_refused(functional({in, a}, "nobody"),
                 "expected layers of the model as output_layers, got nobody");
}

TEST(ModelJson, SpatialDropoutIsWrittenWithTheKeysThatKeras3Takes) {
  const Network model =
      model_from_layers_text("Input((3, 2)), SpatialDropout1D(0.5), Flatten(), Dense(2)");
  const ordered_json written = model_to_json(model);
  EXPECT_EQ(written["config"]["layers"][1]["config"].dump(),
            R"({"name":"spatial_dropout1d","dtype":"float32","rate":0.5,"seed":null})");
  EXPECT_EQ(model_to_json(model_from_json(written)), written);
}

TEST(ModelJson, ASharedLayerIsOneLayerWithSeveralCalls) {
  ordered_json json = functional({input("in"), after(dense("a", 4), {"in"})}, "a");
  json["config"]["layers"][1]["inbound_nodes"].push_back({{"a", 0, 0, ordered_json::object()}});
  json["config"]["output_layers"] = {{"a", 1, 0}};
  const Network model = model_from_json(json);

  EXPECT_EQ(model.layers().size(), 2u);
  EXPECT_EQ(model.calls().size(), 3u);
  EXPECT_EQ(model.parameter_count(), 4 * 4 + 4);
  EXPECT_EQ(model.graph().ops(), 2u);
  const ordered_json written = model_to_json(model);
  EXPECT_EQ(written["class_name"], "Functional");
  EXPECT_EQ(model_to_json(model_from_json(written)), written);

  json["config"]["layers"][1]["config"]["units"] = 5;  // of which the second call knows nothing
  expect_refused(json, "expected an input with a last axis of 4, got (None, 5)");
}

TEST(ModelJson, ModelsAsLayersBecomeTheirLayers) {
  ordered_json json = ordered_json::parse(kReference);
  ordered_json inner = json;
  inner["config"]["name"] = "base";
  inner["config"]["trainable"] = false;
  inner["config"]["layers"][0]["config"]["batch_input_shape"] = {nullptr, 10};
  json["config"]["layers"].push_back(inner);
  NetworkRemarks remarks;
  const Network model = model_from_json(json, "2.15.0", remarks);

  ASSERT_EQ(model.layers().size(), 7u);
  EXPECT_EQ(model.layers()[4]->name(), "dense_3");  // "dense" is taken
  EXPECT_FALSE(model.layers()[4]->trainable());
  EXPECT_TRUE(model.layers()[3]->trainable());
  EXPECT_EQ(remarks.stores[3], "layers/dense_2");
  EXPECT_EQ(remarks.stores[4], "layers/sequential/layers/dense");
  EXPECT_EQ(remarks.stores[6], "layers/sequential/layers/dense_2");
  EXPECT_THAT(remarks.saving_notes, testing::SizeIs(1));
}

TEST(ModelJson, ActivationThatIsALayerBecomesOneOrAName) {
  const auto with = [](const char* name, const ordered_json& config) {
    return model_from_json(
        changed("/config/layers/2/config/activation", {{"class_name", name}, {"config", config}}));
  };
  const Network split = with("LeakyReLU", {{"name", "leaky"}, {"alpha", 0.1}});
  ASSERT_EQ(split.layers().size(), 5u);
  EXPECT_EQ(split.layers()[3]->class_name(), "LeakyReLU");
  EXPECT_EQ(split.layers()[3]->config().dump(), R"({"alpha":0.1})");
  EXPECT_EQ(model_to_json(model_from_json(model_to_json(split))), model_to_json(split));

  EXPECT_EQ(with("ReLU", ordered_json::object()).layers().size(), 4u);
  EXPECT_EQ(with("ELU", {{"alpha", 1.0}}).layers()[2]->config()["activation"], "elu");
  EXPECT_THAT([&] { with("LeakyReLU", {{"alpha", -1}}); }, testing::Throws<Error>());
}

TEST(ModelJson, HardSigmoidIsThatOfItsKeras) {
  const ordered_json json = changed("/config/layers/2/config/activation", "hard_sigmoid");
  NetworkRemarks remarks;
  const auto activation = [](const Network& model) {
    return model.layers()[2]->final_activation();
  };
  EXPECT_EQ(activation(model_from_json(json, "2.15.0", remarks)), Activation::kHardSigmoidKeras2);
  EXPECT_EQ(activation(model_from_json(json, "3.3.3", remarks)), Activation::kHardSigmoid);

  for (const char* version : {"2.15.0", "3.3.3"}) {  // written so that it is read as the same again
    const Network model = model_from_json(json, version, remarks);
    EXPECT_EQ(activation(model_from_json(model_to_json(model))), activation(model)) << version;
  }
}

TEST(ModelJson, ReadsKeras1sWords) {
  const Network model = model_from_json_text(
      R"({"class_name": "Sequential", "keras_version": "1.2.2", "config": [
          {"class_name": "Dense", "config": {"name": "d", "output_dim": 3, "input_dim": 5, "bias": false,
           "init": "uniform", "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5},
           "b_regularizer": null, "W_constraint": null, "b_constraint": null, "input_dtype": "float32",
           "activation": "hard_sigmoid", "activity_regularizer": null, "trainable": true}},
          {"class_name": "Dropout", "config": {"name": "o", "p": 0.25, "trainable": true}}]})");

  EXPECT_EQ(model.input_shape(), Shape{5});
  EXPECT_EQ(model.parameter_count(), 15);
  EXPECT_EQ(model.layers()[0]->parameters()[0].regularizer.l2, 0.5f);
  EXPECT_EQ(model.layers()[0]->final_activation(), Activation::kHardSigmoidKeras2);
  EXPECT_EQ(model.layers()[1]->config()["rate"], 0.25);
}

TEST(ModelJson, WhatOnlyTrainingNeedsIsNoReasonNotToRead) {
  const ordered_json json = changed("/config/layers/2/config/kernel_constraint",
                                    {{"class_name", "MaxNorm"}, {"config", {{"max_value", 2}}}});
  NetworkRemarks remarks;
  EXPECT_TRUE(model_from_json(json, "", remarks).built());
  EXPECT_THAT(remarks.training.text(),
              HasSubstr("(dense_1): kernel_constraint: expected null, got MaxNorm"));
}

TEST(ModelJson, OtherFloatingTypesAreNotedOnce) {
  ordered_json json = changed("/config/layers/1/config/dtype", "mixed_float16");
  json["config"]["layers"][2]["config"]["dtype"] = "mixed_float16";
  NetworkRemarks remarks;
  model_from_json(json, "", remarks);
  EXPECT_THAT(remarks.notes,
              testing::ElementsAre("computed in float32: the network asks for mixed_float16"));
}

TEST(ModelJson, ReadsJsonInAString) {
  NetworkRemarks remarks;
  EXPECT_TRUE(model_from_json_text(ordered_json(kReference).dump(), "", remarks).built());
}

TEST(ModelJson, MessagesHoldNoControlCharacters) {
  const std::string evil("de\0nse\x1b[31m\xc2\x9b\n", 14);
  const char* const places[] = {
      "/class_name",
      "/config/name",
      "/config/layers/1/class_name",
      "/config/layers/1/registered_name",
      "/config/layers/1/config/name",
      "/config/layers/1/config/activation",
      "/config/layers/1/config/dtype",
      "/config/layers/1/config/units",
      "/config/layers/1/config/kernel_initializer",
      "/config/layers/1/config/kernel_regularizer",
  };
  for (const char* place : places) expect_refused(changed(place, evil), "\\x1b[31m");
  expect_refused(changed("/config/layers/1/config/kernel_initializer",
                         {{"class_name", "Zeros"}, {"config", {{evil, 1}}}}),
                 "[31m");

  ordered_json key = ordered_json::parse(kReference);
  key["config"]["layers"][1]["config"][evil] = 1;
  expect_refused(key, "(dense): de\\x00nse\\x1b[31m\\xc2\\x9b\\x0a: expected no such key");
  expect_text_refused("{\"class_name\": \"a\x1b[31m\"}", "line 1, column 18: syntax error");
}

TEST(ModelJson, LongTextIsCutInMessages) {
  try {
    model_from_json(changed("/config/layers/1/config/activation", std::string(1000000, 'x')));
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  }
}

}  // namespace
}  // namespace lockstep
