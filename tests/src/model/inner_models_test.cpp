#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "src/model/model_json.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/src/model/graph_json.hpp"

/// Functional models in a TimeDistributed, which another model's graph computes.
namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

ordered_json node_of(const std::string& text) {
  return ordered_json::array({ordered_json::parse(text)});
}

ordered_json input_of(const std::string& name, const ordered_json& shape) {
  ordered_json json = input(name);
  json["config"]["batch_input_shape"] = shape;
  return json;
}

/// Of sequences of (3, 2), each of which is given to `inner`.
ordered_json around(ordered_json inner, std::int64_t steps = 4) {
  inner["config"]["name"] = "inner";
  ordered_json first = input_of("in", {nullptr, steps, 3, 2});
  ordered_json layers = {first};
  layers.push_back(
      layer("TimeDistributed", "each", ordered_json::array(), {{"layer", std::move(inner)}}));
  for (ordered_json& json : layers) json.erase("inbound_nodes");
  return {{"class_name", "Sequential"}, {"config", {{"name", "outer"}, {"layers", layers}}}};
}

ordered_json inner_of(const ordered_json& written) {
  return written["config"]["layers"].back()["config"]["layer"];
}

ordered_json last_node(const ordered_json& written) {
  return inner_of(written)["config"]["layers"].back()["inbound_nodes"][0];
}

ordered_json encoder() {
  return layer("LSTM", "encoder", {on({{"x", 0}})}, {{"units", 2}, {"return_state", true}});
}

/// in -> x -> encoder -> decoder, called on x and the encoder's states as `node` says.
ordered_json with_states(const std::string& node, const std::string& x = "Masking") {
  return model_of({input_of("in", {nullptr, 3, 2}), layer(x, "x", {on({{"in", 0}})}), encoder(),
                   layer("LSTM", "decoder", node_of(node), {{"units", 2}})},
                  "decoder");
}

std::string tensor(const std::string& layer, int number) {
  return fmt::format(R"({{"class_name": "__keras_tensor__", "config": {{"shape": [null, 2],
    "dtype": "float32", "keras_history": ["{}", 0, {}]}}}})",
                     layer, number);
}

const std::string kKeras2 = R"([["x", 0, 0, {}], ["encoder", 0, 1, {}], ["encoder", 0, 2, {}]])";
const std::string kKeras3 = R"({"args": [)" + tensor("x", 0) +
                            R"(], "kwargs": {"initial_state": [)" + tensor("encoder", 1) + ", " +
                            tensor("encoder", 2) + "]}}";

void expect_read_back(const Network& model, KerasMajor form) {
  const ordered_json written = model_to_json(model, form);
  EXPECT_EQ(model_to_json(model_from_json(written), form), written);
}

TEST(InnerModels, WithAttentionAreWritten) {
  const std::string node = R"([["in", 0, 0, {"value": ["in", 0, 0]}]])";
  const std::pair<const char*, ordered_json> layers[] = {
      {"MultiHeadAttention", {{"num_heads", 1}, {"key_dim", 2}}},
      {"GroupQueryAttention",
       {{"head_dim", 2}, {"num_query_heads", 2}, {"num_key_value_heads", 1}}}};
  for (const auto& [class_name, config] : layers) {
    const Network model = model_from_json(around(model_of(
        {input_of("in", {nullptr, 3, 2}), layer(class_name, "heads", node_of(node), config)},
        "heads")));
    for (const KerasMajor form : {KerasMajor::k2, KerasMajor::k3}) {
      EXPECT_EQ(last_node(model_to_json(model, form))["args"][0]["config"]["shape"],
                (ordered_json{nullptr, 3, 2}));
      expect_read_back(model, form);
    }
  }
}

TEST(InnerModels, WithInitialStatesAreWrittenAsEachKerasReadsThem) {
  for (const std::string& node : {kKeras2, kKeras3}) {
    NetworkRemarks remarks;
    const Network model = model_from_json(around(with_states(node, "ReLU")), "", remarks);
    EXPECT_THAT(remarks.saving_notes, testing::Contains(HasSubstr("with an initial state")));
    for (const KerasMajor form : {KerasMajor::k2, KerasMajor::k3}) expect_read_back(model, form);
    EXPECT_EQ(last_node(model_to_json(model)), ordered_json::parse(kKeras2));
    const ordered_json of_keras3 = last_node(model_to_json(model, KerasMajor::k3));
    EXPECT_EQ(of_keras3["args"].size(), 1u);
    EXPECT_EQ(of_keras3["kwargs"]["initial_state"][1]["config"]["keras_history"],
              (ordered_json{"encoder", 0, 2}));
  }
}

/// Behind a mask, which Keras 3 does not show them.
TEST(InnerModels, WithInitialStatesBehindAMaskKeepTheMeaningOfTheirKeras) {
  NetworkRemarks of_keras2, of_keras3;
  const Network keras2 = model_from_json(around(with_states(kKeras2)), "2.15.0", of_keras2);
  const Network keras3 = model_from_json(around(with_states(kKeras3)), "3.0.0", of_keras3);
  EXPECT_THAT(of_keras2.saving_notes, testing::Contains(HasSubstr("with an initial state")));
  EXPECT_THAT(of_keras3.saving_notes, testing::IsEmpty());
  EXPECT_EQ(last_node(model_to_json(keras2)), ordered_json::parse(kKeras2));
  EXPECT_TRUE(last_node(model_to_json(keras3)).is_object());
  expect_read_back(keras3, KerasMajor::k3);
  expect_read_back(keras2, KerasMajor::k2);
  expect_error(
      ExitCode::kBadData, [&] { model_to_json(keras2, KerasMajor::k3); },
      HasSubstr("[decoder]: expected a call with an initial state behind no mask"));
}

/// Which has no place for a layer of several outputs.
TEST(InnerModels, OfALayerThatReturnsItsStatesAreNoSequential) {
  ordered_json lstm = encoder();
  lstm["inbound_nodes"] = {on({{"in", 0}})};
  const Network model =
      model_from_json(around(model_of({input_of("in", {nullptr, 3, 2}), lstm}, "encoder")));
  for (const KerasMajor form : {KerasMajor::k2, KerasMajor::k3}) {
    EXPECT_EQ(inner_of(model_to_json(model, form))["class_name"], "Functional");
    expect_read_back(model, form);
  }
}

TEST(InnerModels, AreRefusedByName) {
  const auto expect_refused = [](const ordered_json& inner, const std::string& message) {
    expect_error(
        ExitCode::kBadData, [&] { model_from_json(around(inner)); }, HasSubstr(message));
  };
  const ordered_json in = input_of("in", {nullptr, 3, 2});
  const ordered_json x = layer("Masking", "x", {on({{"in", 0}})});
  ordered_json no_such_output = model_of({in, x, encoder()}, "encoder");
  no_such_output["config"]["output_layers"] = {{"encoder", 0, 7}};
  expect_refused(no_such_output,
                 "(each): layer: expected one of the 3 outputs of encoder, got number 7");
  expect_refused(with_states(R"([["encoder", 0, 3, {}]])"), "got number 3 of 3 of encoder");
  expect_refused(model_of({in, layer("Masking", "x", node_of(R"([["in", 0, 3, {}]])"))}, "x"),
                 "got number 3 of call 0 of in");
  ordered_json lstm = encoder();
  lstm.erase("inbound_nodes");
  expect_refused({{"class_name", "Sequential"}, {"config", {{"layers", {lstm}}}}},
                 "(encoder): return_state: expected a layer of one output in a Sequential, got 3");
}

/// The input of a model within a model is whatever the outer one gives.
TEST(InnerModels, HaveInputsOfOneOutput) {
  ordered_json inner =
      model_of({input_of("in", {nullptr, 3}),
                layer("Dense", "x", node_of(R"([["in", 0, 5, {}]])"), {{"units", 2}})},
               "x");
  inner["name"] = inner["config"]["name"] = "inner";
  inner["inbound_nodes"] = ordered_json::array({on({{"in", 0}})});
  expect_error(
      ExitCode::kBadData,
      [&] {
        model_from_json(model_of({input_of("in", {nullptr, 3}), inner}, "inner"));
      },
      HasSubstr("got number 5 of call 0 of in"));
}

/// Of each step they may be small.
TEST(InnerModels, AreRefusedForTheSizeOfAllSteps) {
  const auto dense = [](const char* name, std::int64_t units) {
    return ordered_json{{"class_name", "Dense"}, {"config", {{"name", name}, {"units", units}}}};
  };
  const ordered_json inner = {{"class_name", "Sequential"},
                              {"config", {{"layers", {dense("wide", 1000), dense("narrow", 1)}}}}};
  expect_error(
      ExitCode::kBadData, [&] { model_from_json(around(inner, 1000000)); },
      HasSubstr("(each): expected at most 2147483647 outputs a sample, got 3000000000"));
}

}  // namespace
}  // namespace lockstep
