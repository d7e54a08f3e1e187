#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "src/layers/layer.hpp"
#include "src/model/model_json.hpp"
#include "tests/src/model/graph_json.hpp"
#include "tests/src/model/reference_json.hpp"

// Also against the files of tests/reference/keras_graphs.py: what real Keras wrote, and its order.
namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kFiles = LOCKSTEP_SOURCE_DIR "/tests/reference/keras_graphs";

ordered_json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return ordered_json::parse(file);
}

Network read(const ordered_json& json, NetworkRemarks remarks = {}) {
  return model_from_json(json, "", remarks);
}

std::vector<std::string> names(const Network& model) {
  std::vector<std::string> names;
  for (const auto& layer : model.layers()) names.push_back(layer->name());
  return names;
}

/// "dense(in) add(dense, in)": all calls in their order.
std::string calls(const Network& model) {
  const auto name = [&](std::size_t call) {
    return model.layers()[model.calls()[call].layer]->name();
  };
  std::string text;
  for (std::size_t i = 0; i < model.calls().size(); ++i) {
    text += (i == 0 ? "" : " ") + name(i) + "(";
    const auto& inputs = model.calls()[i].inputs;
    for (std::size_t j = 0; j < inputs.size(); ++j)
      text += fmt::format("{}{}[{}]", j == 0 ? "" : ", ", name(inputs[j].call),
                          model.call_number(inputs[j].call));
    text += model.calls()[i].inference ? "; inference)" : ")";
  }
  return text;
}

TEST(NetworkPlan, HasKerasOrderOfLayers) {
  const ordered_json graphs = read_json(kFiles / "orders.json");
  ASSERT_EQ(graphs.size(), 8u);
  for (const ordered_json& graph : graphs)
    EXPECT_EQ(names(read(graph["network"])), graph["order"].get<std::vector<std::string>>());
}

TEST(NetworkPlan, OfWhatIsWrittenIsTheSame) {
  std::vector<ordered_json> networks;
  for (const ordered_json& graph : read_json(kFiles / "orders.json"))
    networks.push_back(graph["network"]);
  for (const char* keras : {"keras2_", "keras3_"})
    for (const char* name : {"residual", "branches", "transfer", "twins", "deep"})
      networks.push_back(read_json(kFiles / (std::string(keras) + name + ".json")));
  for (const ordered_json& network : networks) {
    const Network model = read(network), again = read(model_to_json(model));
    EXPECT_EQ(calls(again), calls(model));
    EXPECT_EQ(names(again), names(model));
  }
}

TEST(NetworkPlan, MakesTheCallsOfALayerInKerasOrder) {
  // add(relu(bn(a)), relu(bn(b))): Keras finds the one that is listed last first.
  const ordered_json bn =
      layer("BatchNormalization", "bn", ordered_json::array({on({{"a", 0}}), on({{"b", 0}})}));
  const auto dense = [](const char* name) {
    return layer("Dense", name, ordered_json::array({on({{"in", 0}})}), {{"units", 3}});
  };
  const ordered_json json =
      model_of({input("in"), dense("a"), dense("b"), bn,
                layer("ReLU", "r", ordered_json::array({on({{"bn", 0}})})),
                layer("ReLU", "s", ordered_json::array({on({{"bn", 1}})})),
                layer("Add", "sum", ordered_json::array({on({{"r", 0}, {"s", 0}})}))},
               "sum");
  const Network model = read(json);
  EXPECT_THAT(calls(model), HasSubstr("bn(b[0]) bn(a[0])"));
  EXPECT_THAT(calls(model), HasSubstr("sum(r[0], s[0])"));
  EXPECT_THAT(calls(model), HasSubstr("r(bn[1])"));
  EXPECT_EQ(calls(read(model_to_json(model))), calls(model));
}

TEST(NetworkPlan, InferenceIsWhatKeras2CallsSoAndNotKeras3) {
  const ordered_json dropout = {{"rate", 0.5}};
  const ordered_json keras2 = model_of(
      {input("in"), layer("Dropout", "d", {{{"in", 0, 0, {{"training", false}}}}}, dropout)}, "d");
  EXPECT_EQ(calls(read(keras2)), "in() d(in[0]; inference)");
  EXPECT_EQ(calls(read(model_to_json(read(keras2)))), "in() d(in[0]; inference)");

  // Keras 3 writes the default of Dropout's argument.
  const ordered_json tensor = {{"class_name", "__keras_tensor__"},
                               {"config", {{"keras_history", {"in", 0, 0}}}}};
  const ordered_json keras3 = model_of(
      {input("in"),
       layer("Dropout", "d", {{{"args", {tensor}}, {"kwargs", {{"training", false}}}}}, dropout)},
      "d");
  EXPECT_EQ(calls(read(keras3)), "in() d(in[0])");
}

TEST(NetworkPlan, OperatorsOfBothKerasesAreTheLayersThatDoTheSame) {
  const ordered_json keras2 = model_of(
      {input("in"), layer("Dense", "a", {{{"in", 0, 0, ordered_json::object()}}}, {{"units", 4}}),
       layer("TFOpLambda", "plus", {{"in", 0, 0, {{"y", {"a", 0, 0}}, {"name", nullptr}}}},
             {{"function", "__operators__.add"}})},
      "plus");
  EXPECT_EQ(calls(read(keras2)), "in() a(in[0]) plus(in[0], a[0])");
  EXPECT_EQ(read(keras2).layers()[2]->class_name(), "Add");

  ordered_json other = keras2;
  other["config"]["layers"][2]["config"]["function"] = "math.reduce_sum";
  expect_error(
      ExitCode::kBadData, [&] { read(other); },
      HasSubstr("expected a layer, got the operation 'math.reduce_sum'"));
  other["config"]["layers"][2]["class_name"] = "Dot";
  other["config"]["layers"][2]["module"] = "keras.src.ops.numpy";
  expect_error(
      ExitCode::kBadData, [&] { read(other); },
      HasSubstr("expected a layer, got the operation Dot of 'keras.src.ops.numpy'"));
}

TEST(NetworkPlan, InputOfAModelThatIsALayerMustFit) {
  const auto nested = [](const std::string& class_name, int width) {
    ordered_json inner =
        model_of({input("in", width), layer("Dense", "d", {on({{"in", 0}})}, {{"units", 2}})}, "d");
    inner["class_name"] = class_name;
    inner["config"]["name"] = "base";
    inner["name"] = "base";
    if (class_name == "Sequential") {
      for (ordered_json& part : inner["config"]["layers"]) part.erase("inbound_nodes");
      inner["config"].erase("input_layers");
      inner["config"].erase("output_layers");
    }
    inner["inbound_nodes"] = ordered_json::array({on({{"in", 0}})});
    return model_of({input("in"), inner}, "base");
  };
  for (const char* class_name : {"Functional", "Sequential"}) {
    EXPECT_EQ(calls(read(nested(class_name, 4))), "in() d(in[0])");
    expect_error(
        ExitCode::kBadData, [&] { read(nested(class_name, 5)); },
        testing::AllOf(HasSubstr("(None, 5)"), HasSubstr("(None, 4)")));
  }
}

TEST(NetworkPlan, ModelsInModelsAreLimited) {
  ordered_json model = model_of({input("in"), layer("ReLU", "r", {on({{"in", 0}})})}, "r");
  for (int i = 0; i < 9; ++i) {
    model["name"] = "inner";
    model["inbound_nodes"] = ordered_json::array({on({{"in", 0}})});
    for (int call = 0; call < 3; ++call) model["inbound_nodes"].push_back(on({{"inner", call}}));
    model = model_of({input("in"), model}, "inner");
    model["config"]["output_layers"][0][1] = 3;
  }
  expect_error(
      ExitCode::kBadData, [&] { read(model); },
      HasSubstr("expected at most 40000 uses of layers in all, got more"));
}

TEST(NetworkPlan, OnlyTheLayersOfACircleAndCallsThatAreMissingAreNamed) {
  const auto dense = [](const char* name, const char* from, int call = 0) {
    return layer("Dense", name, ordered_json::array({on({{from, call}})}), {{"units", 4}});
  };
  expect_error(
      ExitCode::kBadData,
      [&] {
        read(model_of({input("in"), dense("c", "b"), dense("a", "b"), dense("b", "a")}, "c"));
      },
      testing::AllOf(HasSubstr("2 problems"),
                     HasSubstr("got b at model JSON: config.layers[2] (a)"),
                     HasSubstr("got a at model JSON: config.layers[3] (b)")));
  expect_error(
      ExitCode::kBadData,
      [&] {
        read(model_of({input("in"), dense("a", "in"), dense("b", "a", 3)}, "b"));
      },
      HasSubstr("(b): expected an output of a listed call as input, got number 0 of call 3 of a"));
  // The rest is not looked at as if it were a chain.
  expect_error(
      ExitCode::kBadData,
      [&] {
        const ordered_json on_two = ordered_json::array({on({{"in", 0}, {"a", 0}})});
        read(model_of({input("in"), dense("a", "nobody"), layer("Add", "sum", on_two)}, "sum"));
      },
      testing::AllOf(HasSubstr("(a): expected the name of a layer as input, got nobody"),
                     testing::Not(HasSubstr("problems"))));
}

/// Called once, on first calls.
ordered_json dense_on(const std::string& name, const std::vector<std::string>& inputs, int units) {
  std::vector<std::pair<std::string, int>> calls;
  for (const std::string& input : inputs) calls.emplace_back(input, 0);
  return layer("Dense", name, ordered_json::array({on(calls)}), {{"units", units}});
}

TEST(NetworkPlan, FunctionalChainIsReadInItsOwnOrder) {
  const ordered_json json = model_of(
      {dense_on("c", {"b"}, 3), dense_on("b", {"a"}, 2), input("in"), dense_on("a", {"in"}, 5)},
      "c");
  const Network model = model_from_json(json);

  ASSERT_EQ(model.layers().size(), 4u);
  EXPECT_EQ(model.layers()[1]->name(), "a");
  EXPECT_EQ(model.layers()[3]->name(), "c");
  EXPECT_EQ(model.output_shape(), Shape{3});
  EXPECT_EQ(model_to_json(model)["class_name"], "Sequential");
}

TEST(NetworkPlan, GraphsThatMakeNoNetworkAreRefusedByTheLayersNames) {
  const auto graph = [](const ordered_json& layers) { return model_of(layers, "a"); };
  const ordered_json in = input("in"), a = dense_on("a", {"in"}, 4);
  expect_refused(graph({in, a, dense_on("b", {"a"}, 4)}),
                 "(b): expected every layer to lead to an output");
  expect_refused(graph({in, input("other"), a}),
                 "(other): expected every InputLayer among input_layers");
  expect_refused(graph({in, dense_on("a", {"nobody"}, 4)}),
                 "(a): expected the name of a layer as input, got nobody");
  expect_refused(graph({in, dense_on("a", {"b"}, 4), dense_on("b", {"a"}, 4)}),
                 "expected inputs that do not depend on the layer itself, got b at model JSON: "
                 "config.layers[1] (a)");
  expect_refused(graph({in, layer("Dense", "a", ordered_json::array(), {{"units", 4}})}),
                 "(a): expected an input of the layer, got none");
  expect_refused(graph({in, a, dense_on("a", {"in"}, 4)}),
                 "expected every layer to have a name of its own, got it twice at model JSON: "
                 "config.layers[2] (a)");
  expect_refused(graph({in, dense_on("a", {"in", "in"}, 4)}), "(a): expected one input, got 2");
  expect_refused(model_of({in, a}, "nobody"),
                 "expected layers of the model as output_layers, got nobody");
}

TEST(NetworkPlan, ASharedLayerIsOneLayerWithSeveralCalls) {
  ordered_json json = model_of({input("in"), dense_on("a", {"in"}, 4)}, "a");
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

}  // namespace
}  // namespace lockstep
