#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/make_layer.hpp"
#include "src/model/model_json.hpp"
#include "tests/src/model/reference_json.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;

TEST(ModelJson, RefusesWhatLockstepLacksByNameAndPlace) {
  const ordered_json max_norm = {{"class_name", "MaxNorm"}, {"config", {{"max_value", -2}}}};

  expect_refused(changed("/config/layers/2/config/kernel_constraint", "radial"),
                 "model JSON: config.layers[2] (dense_1): kernel_constraint: expected null, got "
                 "'radial'");
  expect_refused(changed("/config/layers/2/config/kernel_constraint", max_norm),
                 "config.layers[2] (dense_1): kernel_constraint: max_value: expected a number from "
                 "0 to 3.4e38, got -2");
  expect_refused(changed("/config/layers/2/config/activity_regularizer", "orthogonal_regularizer"),
                 "config.layers[2] (dense_1): activity_regularizer: expected null, got "
                 "'orthogonal_regularizer'");
  expect_refused(
      changed("/config/layers/1/class_name", "LocallyConnected2D"),
      fmt::format(
          "config.layers[1] (dense): class_name: expected one of {}, got 'LocallyConnected2D'",
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
  ordered_json json = changed("/config/layers/1/class_name", "LocallyConnected2D");
  json["config"]["layers"][2]["config"]["units"] = "many";
  json["config"]["layers"][2]["config"]["activation"] = "my_activation";
  json["config"]["layers"][3]["class_name"] = "LocallyConnected2D";
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

TEST(ModelJson, RefusesMoreBytesThanItReads) {
  expect_text_refused("[" + std::string(70 << 20, ' ') + "]",
                      "expected at most 67108864 bytes of JSON");
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
