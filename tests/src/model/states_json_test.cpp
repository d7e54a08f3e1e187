#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/layers/recurrent.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "src/model/sequential.hpp"
#include "src/model/summary.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/src/model/graph_json.hpp"

/// Calls with initial states, and layers that return theirs, as Keras 2 and 3 write them.
namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

ordered_json node_of(const std::string& text) {
  return ordered_json::parse(text);
}

/// "x" or "encoder 1", as Keras 3 writes it.
std::string tensor(const std::string& layer, int number) {
  return fmt::format(R"({{"class_name": "__keras_tensor__", "config": {{"shape": [null, 2],
    "dtype": "float32", "keras_history": ["{}", 0, {}]}}}})",
                     layer, number);
}

/// in -> x -> encoder -> `class_name`, called on x and the encoder's states by `node`.
ordered_json network(const std::string& node, const std::string& class_name = "LSTM",
                     ordered_json config = {{"units", 2}}, bool masked = false) {
  const ordered_json x =
      masked ? layer("Masking", "x", {on({{"in", 0}})})
             : layer("Activation", "x", {on({{"in", 0}})}, {{"activation", "tanh"}});
  ordered_json in = input("in");
  in["config"]["batch_input_shape"] = {nullptr, 3, 2};
  return model_of(
      {in, x, layer("LSTM", "encoder", {on({{"x", 0}})}, {{"units", 2}, {"return_state", true}}),
       layer(class_name, "decoder", ordered_json::array({node_of(node)}), std::move(config))},
      "decoder");
}

const std::string kKeras2 = R"([["x", 0, 0, {}], ["encoder", 0, 1, {}], ["encoder", 0, 2, {}]])";
const std::string kKeras3 = R"({"args": [)" + tensor("x", 0) +
                            R"(], "kwargs": {"initial_state": [)" + tensor("encoder", 1) + ", " +
                            tensor("encoder", 2) + "]}}";

/// "x[0][0]", ...: what the last layer is called on.
std::vector<std::string> last_inputs(const Network& model) {
  std::vector<std::string> all;
  for (const auto& [call, number] : model.calls().back().inputs)
    all.push_back(fmt::format("{}[{}][{}]", model.layers()[model.calls()[call].layer]->name(),
                              model.call_number(call), number));
  return all;
}

TEST(StatesJson, AreReadHoweverTheyAreGiven) {
  const std::string positions = R"({"args": [)" + tensor("x", 0) + ", [" + tensor("encoder", 1) +
                                ", " + tensor("encoder", 2) + R"(]], "kwargs": {}})";
  const std::string named = R"({"args": [], "kwargs": {"initial_state": [)" + tensor("encoder", 1) +
                            ", " + tensor("encoder", 2) + R"(], "sequences": )" + tensor("x", 0) +
                            R"(, "mask": [null, null]}})";
  const std::string with_nulls = R"([["x", 0, 0, {"initial_state": null, "constants": null}],
    ["encoder", 0, 1, {"initial_state": null}], ["encoder", 0, 2, {}]])";
  const std::string as_argument =
      R"([["x", 0, 0, {"initial_state": [["encoder", 0, 1], ["encoder", 0, 2]]}]])";
  for (const std::string& node : {kKeras2, kKeras3, positions, named, with_nulls, as_argument})
    EXPECT_EQ(last_inputs(model_from_json(network(node))),
              (std::vector<std::string>{"x[0][0]", "encoder[0][1]", "encoder[0][2]"}))
        << node;
}

ordered_json last_node(const ordered_json& written) {
  return written["config"]["layers"].back()["inbound_nodes"][0];
}

TEST(StatesJson, AreWrittenAsEachKerasWritesThem) {
  for (const std::string& node : {kKeras2, kKeras3}) {
    const Network model = model_from_json(network(node));
    const ordered_json written = model_to_json(model);
    EXPECT_EQ(last_node(written), node_of(kKeras2));
    EXPECT_EQ(model_to_json(model_from_json(written)), written);
    const ordered_json keras3 = last_node(model_to_json(model, KerasMajor::k3));
    EXPECT_EQ(keras3["args"].size(), 1u);
    EXPECT_EQ(keras3["kwargs"]["initial_state"][1]["config"]["keras_history"],
              (ordered_json{"encoder", 0, 2}));
    EXPECT_EQ(model_to_json(model_from_json(model_to_json(model, KerasMajor::k3))), written);
  }
}

TEST(StatesJson, OfStackedCellsStandInLists) {
  const ordered_json cells = {{{"class_name", "LSTMCell"}, {"config", {{"units", 2}}}},
                              {{"class_name", "GRUCell"}, {"config", {{"units", 2}}}}};
  const std::string node = R"([["x", 0, 0, {}], [["encoder", 0, 1, {}], ["encoder", 0, 2, {}]],
    ["encoder", 0, 0, {}]])";
  const Network model = model_from_json(network(node, "RNN", {{"cell", cells}}));
  EXPECT_EQ(last_node(model_to_json(model)), node_of(node));
  const ordered_json states =
      last_node(model_to_json(model, KerasMajor::k3))["kwargs"]["initial_state"];
  EXPECT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].size(), 2u);
}

/// Keras 3 shows no mask to a layer that is called with states.
TEST(StatesJson, BehindAMaskKeepTheMeaningOfTheirKeras) {
  const ordered_json sequences = {{"units", 2}, {"return_sequences", true}};
  const Network keras2 = model_from_json(network(kKeras2, "LSTM", sequences, true));
  const Network keras3 = model_from_json(network(kKeras3, "LSTM", sequences, true));
  EXPECT_FALSE(keras2.calls().back().unmasked);
  EXPECT_TRUE(keras3.calls().back().unmasked);
  for (const Network* model : {&keras2, &keras3})
    EXPECT_TRUE(model->is_masked(model->outputs()[0]));
  const auto reads_mask = [](const Network& model) {
    const auto& steps = model.graph().steps();
    return std::ranges::count_if(steps, [](const auto& step) { return step.inputs.size() == 4; });
  };
  EXPECT_EQ(reads_mask(keras2), 1);
  EXPECT_EQ(reads_mask(keras3), 0);
  for (const Network* model : {&keras2, &keras3}) {
    const ordered_json written = model_to_json(*model);
    EXPECT_EQ(model_from_json(written).calls().back().unmasked, model->calls().back().unmasked);
  }
  EXPECT_TRUE(model_from_json(model_to_json(keras3, KerasMajor::k3)).calls().back().unmasked);
  expect_error(
      ExitCode::kBadData, [&] { model_to_json(keras2, KerasMajor::k3); },
      HasSubstr("[decoder]: expected a call with an initial state behind no mask"));
}

/// An encoder that is a model of its own: its outputs are the states.
TEST(StatesJson, LeaveAModelThatIsALayer) {
  ordered_json in = input("in");
  in["config"]["batch_input_shape"] = {nullptr, 3, 2};
  ordered_json encoder = model_of(
      {in, layer("LSTM", "lstm", {on({{"in", 0}})}, {{"units", 2}, {"return_state", true}})}, "");
  encoder["config"]["output_layers"] = {{"lstm", 0, 1}, {"lstm", 0, 2}};
  encoder["config"]["name"] = encoder["name"] = "encoder";
  encoder["inbound_nodes"] = ordered_json::array({on({{"in", 0}})});
  const ordered_json decoder = layer(
      "LSTM", "decoder", ordered_json::array({node_of(R"([["in", 0, 0, {}], ["encoder", 1, 0, {}],
                                             ["encoder", 1, 1, {}]])")}),
      {{"units", 2}});
  const Network model = model_from_json(model_of({in, encoder, decoder}, "decoder"));
  EXPECT_EQ(last_inputs(model), (std::vector<std::string>{"in[0][0]", "lstm[0][1]", "lstm[0][2]"}));
}

TEST(StatesJson, AreInTheSummary) {
  const std::string text = summary(model_from_json(network(kKeras2)));
  EXPECT_THAT(text, HasSubstr(" encoder (LSTM)              [(None, 2),                  40        "
                              "['x[0][0]']"));
  EXPECT_THAT(text, HasSubstr("'encoder[0][2]']"));
}

/// Keras's Sequential has no place for layers of several outputs, whichever is read.
TEST(StatesJson, OfALayerThatIsReadOnceMakeNoSequential) {
  ordered_json in = input("in");
  in["config"]["batch_input_shape"] = {nullptr, 3, 2};
  const ordered_json lstm =
      layer("LSTM", "lstm", {on({{"in", 0}})}, {{"units", 2}, {"return_state", true}});
  for (const int number : {0, 2}) {
    ordered_json node = on({{"lstm", 0}});
    node[0][2] = number;
    const ordered_json dense = layer("Dense", "out", ordered_json::array({node}), {{"units", 1}});
    NetworkRemarks remarks;
    const Network model = model_from_json(model_of({in, lstm, dense}, "out"), "2.15.0", remarks);
    EXPECT_THAT(remarks.saving_notes, testing::IsEmpty());
    const ordered_json written = model_to_json(model);
    EXPECT_EQ(written["class_name"], "Functional");
    EXPECT_EQ(last_node(written)[0][2], number);
  }
}

TEST(StatesJson, AreRefusedByName) {
  const auto expect_refused = [](const ordered_json& json, const std::string& message) {
    expect_error(
        ExitCode::kBadData, [&] { model_from_json(json); }, HasSubstr(message));
  };
  expect_refused(network(R"([["x", 0, 0, {"mask": ["encoder", 0, 1]}]])"),
                 "(decoder): expected a layer that is called with its inputs alone, got "
                 "mask=encoder");
  expect_refused(network(R"([["x", 0, 0, {"constants": [["encoder", 0, 1]]}]])"),
                 "got constants=encoder");
  expect_refused(network(R"([["x", 0, 0, {}], ["encoder", 0, 1, {}], ["encoder", 0, 3, {}]])"),
                 "(decoder): expected an output of a listed call as input, got number 3 of 3 of "
                 "encoder");
  expect_refused(network(R"([["x", 0, 1, {}]])"), "got number 1 of 1 of x");
  expect_refused(network(R"([["x", 0, 0, {}], ["encoder", 0, 1, {}]])"),
                 "expected one input, or 3 with the initial states, got 2");
  ordered_json json = network(kKeras2);
  json["config"]["output_layers"] = {{"encoder", 0, 3}};
  json["config"]["layers"].erase(3);
  expect_refused(json, "[model] expected one of the 3 outputs of encoder, got number 3");
  const ordered_json inner = {{"class_name", "LSTM"},
                              {"config", {{"name", "lstm"}, {"units", 2}, {"return_state", true}}}};
  const ordered_json chain = {{"class_name", "Sequential"},
                              {"config", {{"name", "chain"}, {"layers", {input("first"), inner}}}}};
  ordered_json sequential = chain;
  sequential["config"]["layers"][0]["config"]["batch_input_shape"] = {nullptr, 3, 2};
  for (const char* key : {"name", "inbound_nodes"}) sequential["config"]["layers"][0].erase(key);
  expect_refused(sequential,
                 "(lstm): return_state: expected a layer of one output in a Sequential, got 3");
  expect_error(
      ExitCode::kUsage,
      [] { model_from_layers_text("LSTM(2, return_state=True, input_shape=(3, 2))"); },
      HasSubstr("expected a layer of one output in a Sequential, got 3 outputs"));
  Sequential model;
  model.add(std::make_unique<InputLayer>(Shape{3, 2}));
  model.add(std::make_unique<Recurrent>(CellKind::kGru, 2, RecurrentOptions{.return_state = true}));
  expect_error(
      ExitCode::kBadData,
      [&] {
        model.build({3, 2});
      },
      HasSubstr("[gru] expected a layer of one output in a chain, got 2"));
}

}  // namespace
}  // namespace lockstep
