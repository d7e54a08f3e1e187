#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/older_words.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/model_json.hpp"

// What real files of old Keras and masks of Keras 3 become is in
// tests/launch/train/keras_files_test.cpp; here is what must not become anything.
namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

std::string refusal(const ordered_json& json) {
  try {
    model_from_json(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    return error.what();
  }
  return "";
}

ordered_json tensor(const char* layer) {
  return {{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", {layer, 0, 0}}}}};
}

ordered_json layer(const char* class_name, const char* name, ordered_json config,
                   ordered_json arguments, ordered_json named = ordered_json::object()) {
  config["name"] = name;
  ordered_json nodes = ordered_json::array();
  if (!arguments.empty()) nodes.push_back({{"args", arguments}, {"kwargs", named}});
  return {{"class_name", class_name}, {"config", config}, {"name", name}, {"inbound_nodes", nodes}};
}

/// Two embeddings of one input, of which the first one has the mask of number `masked`; an LSTM of
/// it is given the mask of `compared`, where it is not `number`.
ordered_json masked_model(const char* compared, double number) {
  const ordered_json embedding = {{"input_dim", 9}, {"output_dim", 2}, {"mask_zero", true}};
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "m"},
            {"layers",
             {layer("InputLayer", "ids", {{"batch_shape", {nullptr, 4}}}, {}),
              layer("Embedding", "e", embedding, {tensor("ids")}),
              layer("NotEqual", "ne", ordered_json::object(), {tensor(compared), number}),
              layer("LSTM", "l", {{"units", 2}}, {tensor("e")}, {{"mask", tensor("ne")}})}},
            {"input_layers", {{"ids", 0, 0}}},
            {"output_layers", {{"l", 0, 0}}}}}};
}

TEST(CallMasks, OfTheSameEmbeddingAreLeftOut) {
  const Network model = model_from_json(masked_model("ids", 0));
  EXPECT_EQ(model.layers().size(), 3u);
  EXPECT_TRUE(model.is_masked(model.calls().back().inputs.front()));
}

TEST(CallMasks, OfAnotherOriginStayAndAreRefusedByName) {
  for (const auto& json : {masked_model("ids", 1), masked_model("e", 0)}) {
    const std::string said = refusal(json);
    EXPECT_THAT(said, HasSubstr("'NotEqual'"));
    EXPECT_THAT(said, HasSubstr("mask=ne"));
    EXPECT_THAT(said, HasSubstr("config.layers[3] (l)"));
  }
}

TEST(CallMasks, OperationsThatOtherLayersReadStay) {
  ordered_json json = masked_model("ids", 0);
  json["config"]["layers"].push_back(layer("Flatten", "f", ordered_json::object(), {tensor("ne")}));
  json["config"]["output_layers"] = {{"f", 0, 0}};
  EXPECT_THAT(refusal(json), HasSubstr("'NotEqual'"));
}

TEST(FunctionalJson, NamesTheInputsAndOutputsThatAreTooMany) {
  const ordered_json shape = {{"batch_shape", {nullptr, 4}}};
  const ordered_json json = {
      {"class_name", "Functional"},
      {"config",
       {{"name", "m"},
        {"layers",
         {layer("InputLayer", "left", shape, {}), layer("InputLayer", "right", shape, {}),
          layer("Add", "sum", ordered_json::object(), {{tensor("left"), tensor("right")}}),
          layer("Lambda", "mine", ordered_json::object(), {tensor("sum")})}},
        {"input_layers", {{"left", 0, 0}, {"right", 0, 0}}},
        {"output_layers", {{"sum", 0, 0}, {"mine", 0, 0}}}}}};
  const std::string said = refusal(json);
  EXPECT_THAT(said, HasSubstr("expected one input of the network, got 2 ('left', 'right')"));
  EXPECT_THAT(said, HasSubstr("expected one output of the network, got 2 ('sum', 'mine')"));
  EXPECT_THAT(said, HasSubstr("'Lambda'"));
}

TEST(UnknownExtents, BecomeThoseOfTheRows) {
  const ordered_json json = {
      {"class_name", "Sequential"},
      {"config",
       {{"name", "m"},
        {"layers",
         {{{"class_name", "InputLayer"},
           {"config", {{"name", "i"}, {"batch_input_shape", {nullptr, nullptr, 3}}}}},
          {{"class_name", "Conv1D"},
           {"config", {{"name", "c"}, {"filters", 2}, {"kernel_size", {2}}}}}}}}}};
  Network model = model_from_json(json);
  EXPECT_FALSE(model.built());
  EXPECT_THROW(Network(model_from_json(json)).build({5, 4}), Error);
  model.build({5, 3});
  EXPECT_EQ(model.output_shape(), (Shape{4, 2}));
  EXPECT_EQ(dynamic_cast<const InputLayer&>(*model.layers().front()).shape(), (Shape{5, 3}));
}

TEST(OlderWords, OfBothKindsAtOnceStayAndAreRefused) {
  std::string class_name = "Convolution2D";
  ordered_json config = {{"nb_filter", 3}, {"filters", 4}};
  use_newer_words(class_name, config, false);
  EXPECT_EQ(class_name, "Conv2D");
  EXPECT_EQ(config, ordered_json({{"nb_filter", 3}, {"filters", 4}}));
}

TEST(OlderWords, OfPaddingAndMerging) {
  const auto newer = [](std::string class_name, ordered_json config) {
    use_newer_words(class_name, config, true);
    return ordered_json({class_name, config});
  };
  EXPECT_EQ(newer("ZeroPadding2D", {{"padding", {1, 2, 3, 4}}}),
            ordered_json({"ZeroPadding2D",
                          {{"padding", {{1, 2}, {3, 4}}}, {"data_format", "channels_first"}}}));
  EXPECT_EQ(newer("ZeroPadding1D", {{"padding", {{"left_pad", 1}}}}),
            ordered_json({"ZeroPadding1D", {{"padding", {1, 0}}}}));
  EXPECT_EQ(newer("Merge", {{"mode", "concat"}, {"concat_axis", 2}, {"dot_axes", -1}}),
            ordered_json({"Concatenate", {{"axis", 2}}}));
  EXPECT_EQ(newer("Merge", {{"mode", "cos"}})[0], "Merge");
  EXPECT_EQ(newer("Merge", {{"mode", "sum"}, {"layers", {1, 2}}})[0], "Merge");
}

}  // namespace
}  // namespace lockstep
