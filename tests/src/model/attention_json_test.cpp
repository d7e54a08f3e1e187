#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/model/model_json.hpp"
#include "tests/src/model/expect_error.hpp"

/// Calls of attention as Keras 2 and 3 write them.
namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

const std::string kDense = R"({"class_name": "Dense", "config": {"name": "NAME", "units": 4},
  "name": "NAME", "inbound_nodes": [[["in", 0, 0, {}]]]},)";

std::string dense(const std::string& name) {
  std::string json = kDense;
  for (std::size_t at; (at = json.find("NAME")) != std::string::npos;) json.replace(at, 4, name);
  return json;
}

/// in -> a, b, c -> `class_name` -> out
std::string network(const std::string& node, const std::string& class_name = "MultiHeadAttention",
                    const std::string& config = R"("num_heads": 2, "key_dim": 3)") {
  return R"({"class_name": "Functional", "config": {"name": "model", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 3, 2]},
     "name": "in", "inbound_nodes": []},)" +
         dense("a") + dense("b") + dense("c") + R"({"class_name": ")" + class_name +
         R"(", "config": {"name": "mha", )" + config + R"(}, "name": "mha", "inbound_nodes": [)" +
         node + R"(]}], "input_layers": [["in", 0, 0]], "output_layers": [["mha", 0, 0]]}})";
}

std::string tensor(const std::string& name) {
  return R"({"class_name": "__keras_tensor__", "config": {"shape": [null, 3, 4],
    "dtype": "float32", "keras_history": [")" +
         name + R"(", 0, 0]}})";
}

struct Call {
  std::vector<std::string> inputs;
  std::optional<bool> causal;
  bool operator==(const Call&) const = default;
};

Call last_call(const Network& model) {
  const Network::Call& call = model.calls()[model.outputs()[0].call];
  Call found{{}, call.causal};
  for (const Network::Output& input : call.inputs)
    found.inputs.push_back(model.layers()[model.calls()[input.call].layer]->name());
  return found;
}

TEST(AttentionJson, InputsAreQueryValueAndKeyHoweverTheyAreGiven) {
  const Call expected{{"a", "b", "c"}, {}};
  const std::string keras2 = R"([["a", 0, 0, {"key": ["c", 0, 0], "value": ["b", 0, 0]}]])";
  const std::string by_position = R"([["a", 0, 0, {}], ["b", 0, 0, {}], ["c", 0, 0, {}]])";
  const std::string keras3 = R"({"args": [)" + tensor("a") + ", " + tensor("b") + ", " +
                             tensor("c") + R"(], "kwargs": {}})";
  const std::string named = R"({"args": [], "kwargs": {"key": )" + tensor("c") + R"(, "query": )" +
                            tensor("a") + R"(, "value": )" + tensor("b") +
                            R"(, "return_attention_scores": false, "query_mask": null}})";
  for (const std::string& node : {keras2, by_position, keras3, named})
    EXPECT_EQ(last_call(model_from_json_text(network(node))), expected) << node;
}

TEST(AttentionJson, KeepsWhetherACallIsCausal) {
  for (const bool causal : {true, false}) {
    const std::string word = causal ? "true" : "false";
    const std::string keras2 = R"([["a", 0, 0, {"value": ["b", 0, 0], "key": ["c", 0, 0],
      "use_causal_mask": )" + word +
                               "}]]";
    const std::string keras3 = R"({"args": [)" + tensor("a") + ", " + tensor("b") + ", " +
                               tensor("c") + R"(], "kwargs": {"use_causal_mask": )" + word + "}}";
    for (const std::string& node : {keras2, keras3}) {
      const Network model = model_from_json_text(network(node));
      const Call expected{{"a", "b", "c"}, causal};
      EXPECT_EQ(last_call(model), expected);
      EXPECT_EQ(last_call(model_from_json(model_to_json(model))), expected);
    }
  }
}

TEST(AttentionJson, KeepsThatACallIsInference) {
  const Network model = model_from_json_text(
      network(R"([["a", 0, 0, {"value": ["b", 0, 0], "key": ["c", 0, 0], "training": false,
        "use_causal_mask": true}]])"));
  EXPECT_TRUE(model.calls().back().inference);
  // In Keras 2's form Keras 3 gathers several tensors into one argument.
  const ordered_json node = model_to_json(model)["config"]["layers"].back()["inbound_nodes"][0];
  EXPECT_EQ(node["args"].size(), 3u);
  EXPECT_EQ(node["kwargs"], (ordered_json{{"use_causal_mask", true}, {"training", false}}));
  const Network again = model_from_json(model_to_json(model));
  EXPECT_TRUE(again.calls().back().inference);
  EXPECT_EQ(last_call(again), (Call{{"a", "b", "c"}, true}));
}

/// Whose inputs are one list, in which Keras 2 writes the argument with each.
TEST(AttentionJson, ReadsAndWritesTheListOfAttention) {
  const std::string keras2 = R"([["a", 0, 0, {"use_causal_mask": true}],
    ["b", 0, 0, {"use_causal_mask": true}], ["c", 0, 0, {"use_causal_mask": true}]])";
  const std::string keras3 = R"({"args": [[)" + tensor("a") + ", " + tensor("b") + ", " +
                             tensor("c") + R"(]], "kwargs": {"use_causal_mask": true}})";
  for (const std::string& node : {keras2, keras3}) {
    const Network model = model_from_json_text(network(node, "Attention", R"("use_scale": true)"));
    const Call expected{{"a", "b", "c"}, true};
    EXPECT_EQ(last_call(model), expected);
    const ordered_json written = model_to_json(model);
    EXPECT_EQ(written["config"]["layers"].back()["inbound_nodes"][0], ordered_json::parse(keras2));
    EXPECT_EQ(last_call(model_from_json(written)), expected);
  }
}

/// Of the class's own name Keras 3 knows nothing in .keras files; in .h5 files of nothing else.
TEST(AttentionJson, NamesGroupQueryAttentionAsEachFileDoes) {
  const Network model = model_from_json_text(
      network(R"([["a", 0, 0, {}], ["b", 0, 0, {}], ["c", 0, 0, {}]])", "GroupQueryAttention",
              R"("head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1)"));
  const auto class_of = [](const ordered_json& written) {
    return written["config"]["layers"].back()["class_name"];
  };
  EXPECT_EQ(class_of(model_to_json(model)), "GroupedQueryAttention");
  EXPECT_EQ(class_of(model_to_json(model, KerasMajor::k3)), "GroupQueryAttention");
}

/// Keras 3 reads the word "dot" in an .h5 file as its function.
TEST(AttentionJson, LeavesOutTheScoresThatAreTheDefault) {
  const std::string node = R"([["a", 0, 0, {}], ["b", 0, 0, {}], ["c", 0, 0, {}]])";
  const auto config_of = [&](const std::string& config) {
    const ordered_json written =
        model_to_json(model_from_json_text(network(node, "Attention", config)));
    return written["config"]["layers"].back()["config"];
  };
  EXPECT_FALSE(config_of(R"("score_mode": "dot")").contains("score_mode"));
  EXPECT_EQ(config_of(R"("score_mode": "concat")")["score_mode"], "concat");
}

TEST(AttentionJson, RefusesArgumentsThatItLacks) {
  const auto expect_refused = [](const std::string& text, const std::string& message) {
    expect_error(
        ExitCode::kBadData, [&] { model_from_json_text(text); }, HasSubstr(message));
  };
  expect_refused(
      network(R"([["a", 0, 0, {"value": ["b", 0, 0], "attention_mask": ["c", 0, 0]}]])"),
      "(mha): expected a layer that is called with its inputs alone, got attention_mask=c");
  expect_refused(network(R"([["a", 0, 0, {"key": ["b", 0, 0]}]])"), "got key without value");
  // Keras's fourth argument is a mask.
  expect_refused(network(R"({"args": [)" + tensor("a") + ", " + tensor("b") + ", null, " +
                         tensor("c") + R"(], "kwargs": {}})"),
                 "got a tensor behind None");
  expect_refused(
      network(R"([["a", 0, 0, {"value": ["b", 0, 0], "return_attention_scores": true}]])"),
      "got return_attention_scores=true");
  expect_refused(network(R"([["a", 0, 0, {"use_causal_mask": true}], ["b", 0, 0, {}],
                   ["c", 0, 0, {}]])",
                         "Add", R"("trainable": true)"),
                 "expected a call without use_causal_mask, got it");
}

TEST(AttentionJson, KnowsTheClassesOfKerasHub) {
  const std::string config = R"("intermediate_dim": 5, "num_heads": 2)";
  const std::string node = R"([["a", 0, 0, {"use_causal_mask": false}]])";
  std::string text = network(node, "keras_hub>TransformerDecoder", config);
  for (const std::string unused : {"b", "c"}) {
    const std::string part = dense(unused);
    text.erase(text.find(part), part.size());
  }
  const Network model = model_from_json_text(text);
  EXPECT_EQ(last_call(model), (Call{{"a"}, false}));
  const ordered_json written = model_to_json(model);
  const ordered_json& layer = written["config"]["layers"].back();
  EXPECT_EQ(layer["class_name"], "keras_hub>TransformerDecoder");
  EXPECT_EQ(layer["config"]["decoder_sequence_shape"], (ordered_json{nullptr, 3, 4}));
  EXPECT_EQ(model_to_json(model_from_json(written)), written);
}

}  // namespace
}  // namespace lockstep
