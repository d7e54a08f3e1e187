#include "launch/commands/table_predictions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/model/layers_text.hpp"

namespace lockstep {
namespace {

using Kind = OutputMeaning::Kind;

Network network(const std::string& layers) {
  Network model = model_from_layers_text(layers);
  model.build({2});
  return model;
}

TableMapping labelled(LabelMapping label) {
  TableMapping mapping;
  mapping.labels = {std::move(label)};
  return mapping;
}

std::string csv(const OutputMeaning& meaning, const std::vector<float>& outputs, std::int64_t rows,
                const std::vector<std::string>& ids = {}) {
  TablePredictions predictions(meaning, "key", ids);
  predictions.add(0, {outputs.data(), rows, static_cast<std::int64_t>(outputs.size()) / rows});
  return predictions.text();
}

TEST(TablePredictions, NamesTheClassOfTheLargestOutput) {
  const auto meaning = output_meaning(network("Dense(3, softmax)"),
                                      labelled({"kind", {"a", "b,c", "d"}, false, false, false}));
  EXPECT_EQ(csv(meaning, {0.25F, 0.5F, 0.25F, 1, 0, 0}, 2, {"x", "say \"y\""}),
            "key,kind,probability_a,\"probability_b,c\",probability_d\n"
            "x,\"b,c\",0.25,0.5,0.25\n\"say \"\"y\"\"\",a,1,0,0\n");
}

TEST(TablePredictions, ReadsOneSigmoidAsTwoClasses) {
  const auto meaning = output_meaning(network("Dense(1, sigmoid)"),
                                      labelled({"y", {"no", "yes"}, false, false, false}));
  EXPECT_EQ(csv(meaning, {0.75F, 0.5F}, 2),
            "row,y,probability_no,probability_yes\n0,yes,0.25,0.75\n1,no,0.5,0.5\n");
  const auto numbers =
      output_meaning(network("Dense(1, sigmoid)"), labelled({"y", {}, false, true, true}));
  EXPECT_EQ(csv(numbers, {0.75F}, 1), "row,y,probability_0,probability_1\n0,1,0.25,0.75\n");
}

TEST(TablePredictions, KnowsLogits) {
  Network model = network("Dense(1)");
  const nlohmann::ordered_json loss = {{"class_name", "BinaryCrossentropy"},
                                       {"config", {{"from_logits", true}}}};
  model.compile(nlohmann::ordered_json("sgd"), loss, nlohmann::ordered_json::array());
  const auto meaning = output_meaning(model, labelled({"y", {"no", "yes"}, false, false, false}));
  EXPECT_EQ(csv(meaning, {0.25F, -0.25F}, 2), "row,y,output_yes\n0,yes,0.25\n1,no,-0.25\n");
}

TEST(TablePredictions, LeavesNumbersAsTheyAre) {
  const auto price =
      output_meaning(network("Dense(1)"), labelled({"price", {}, false, false, false}));
  EXPECT_EQ(csv(price, {1.5F, -2}, 2, {"7", "8"}), "key,price\n7,1.5\n8,-2\n");
  TableMapping two = labelled({"a", {}, false, false, false});
  two.labels.push_back({"b", {}, false, false, false});
  EXPECT_EQ(csv(output_meaning(network("Dense(2)"), two), {1, 2}, 1), "row,a,b\n0,1,2\n");
  const auto digits =
      output_meaning(network("Dense(3, softmax)"), labelled({"digit", {}, false, true, false}));
  EXPECT_EQ(csv(digits, {0, 0, 1}, 1),
            "row,digit,probability_0,probability_1,probability_2\n0,2,0,0,1\n");
}

TEST(TablePredictions, RefusesANetworkOfTooFewOutputs) {
  const LabelMapping three = {"kind", {"a", "b", "c"}, false, false, false};
  EXPECT_THROW(output_meaning(network("Dense(2, softmax)"), labelled(three)), Error);
  EXPECT_THROW(output_meaning(network("Dense(1)"), labelled(three)), Error);
}

}  // namespace
}  // namespace lockstep
