#include "src/layers/bidirectional.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

ordered_json around(const std::string& class_name, const ordered_json& inner,
                    const ordered_json& more = ordered_json::object()) {
  ordered_json config = {{"layer", {{"class_name", class_name}, {"config", inner}}}};
  config.update(more);
  return config;
}

const std::vector<ordered_json>& configs() {
  static const std::vector<ordered_json> all = {
      around("LSTM", {{"units", 3}, {"return_sequences", true}}),
      around("GRU", {{"units", 3}}, {{"merge_mode", "sum"}}),
      around("GRU", {{"units", 2}, {"return_sequences", true}, {"dropout", 0.3}},
             {{"merge_mode", "mul"}}),
      around("SimpleRNN", {{"units", 3}, {"return_sequences", true}, {"recurrent_dropout", 0.4}},
             {{"merge_mode", "ave"}}),
      around("LSTM", {{"units", 2}, {"use_bias", false}},
             {{"backward_layer",
               {{"class_name", "GRU"}, {"config", {{"units", 3}, {"go_backwards", true}}}}}}),
  };
  return all;
}

TEST(Bidirectional, BackwardMatchesFiniteDifferences) {
  for (const ordered_json& config : configs())
    test::expect_gradients_match_finite_differences(*test::layer_of("Bidirectional", config),
                                                    {4, 3}, 3);
}

TEST(Bidirectional, GivesTheSameBitsInBlocks) {
  for (const ordered_json& config : configs())
    test::expect_the_same_bits_in_blocks("Bidirectional", config, {{4, 3}});
}

TEST(Bidirectional, ConfigMakesTheSameLayerAgain) {
  for (const ordered_json& config : configs()) {
    const ordered_json written = test::layer_of("Bidirectional", config)->config();
    EXPECT_EQ(test::layer_of("Bidirectional", written)->config(), written);
    EXPECT_EQ(written.at("layer").at("config").at("units"),
              config.at("layer").at("config").at("units"));
    EXPECT_EQ(written.contains("backward_layer"), config.contains("backward_layer"));
  }
}

/// One layer forwards, and one backwards whose sequence is turned back.
TEST(Bidirectional, HasTheBitsOfItsTwoHalves) {
  constexpr std::size_t kRows = 3, kSteps = 5, kUnits = 4;
  const ordered_json inner = {{"units", kUnits}, {"return_sequences", true}};
  ordered_json turned = inner;
  turned["go_backwards"] = true;
  const auto both = test::layer_of("Bidirectional", around("LSTM", inner));
  const auto forward = test::layer_of("LSTM", inner), backward = test::layer_of("LSTM", turned);
  const Shape input = {kSteps, 2};
  test::LayerRun run(*both, {input}, kRows), first(*forward, {input}, kRows),
      second(*backward, {input}, kRows);
  const RandomStream random(31, Purpose::kSynthetic, 0);
  std::uint64_t at = 0;
  ASSERT_EQ(both->parameters().size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    for (float& value : both->parameters()[i].value) value = 2 * random.uniform(at++) - 1;
    auto& half = (i < 3 ? forward : backward)->parameters()[i % 3];
    std::ranges::copy(both->parameters()[i].value, half.value.begin());
  }
  for (float& value : run.x()) value = 2 * random.uniform(at++) - 1;
  first.x() = second.x() = run.x();
  const Floats y = run.forward(), left = first.forward(), right = second.forward();
  for (std::size_t row = 0; row < kRows; ++row)
    for (std::size_t step = 0; step < kSteps; ++step)
      for (std::size_t j = 0; j < kUnits; ++j) {
        const float* const got = y.data() + (row * kSteps + step) * 2 * kUnits + j;
        EXPECT_EQ(got[0], left[(row * kSteps + step) * kUnits + j]);
        EXPECT_EQ(got[kUnits], right[(row * kSteps + kSteps - 1 - step) * kUnits + j]);
      }
}

TEST(Bidirectional, HasKerassNamesOfWeights) {
  const auto layer = test::layer_of("Bidirectional", around("GRU", {{"units", 2}, {"name", "g"}}));
  const test::LayerRun run(*layer, {{3, 2}}, 1);
  std::vector<std::string> paths, stores;
  for (const Parameter& parameter : layer->parameters()) {
    paths.push_back(parameter.path());
    stores.push_back(parameter.store);
  }
  EXPECT_THAT(paths, testing::ElementsAre(
                         "forward_g/gru_cell/kernel", "forward_g/gru_cell/recurrent_kernel",
                         "forward_g/gru_cell/bias", "backward_g/gru_cell/kernel",
                         "backward_g/gru_cell/recurrent_kernel", "backward_g/gru_cell/bias"));
  EXPECT_EQ(stores.front(), "forward_layer/cell");
  EXPECT_EQ(stores.back(), "backward_layer/cell");
}

TEST(Bidirectional, IsWrittenInOneLine) {
  const Network model = model_from_layers_text(
      "Input((3, 2)), Bidirectional(LSTM(4, return_sequences=True), merge_mode=sum), "
      "Bidirectional(GRU(5)), Dense(2)");
  EXPECT_EQ(model.output_shape_of(1), (Shape{3, 4}));
  EXPECT_EQ(model.output_shape_of(2), (Shape{10}));
}

TEST(Bidirectional, RefusesByNameWhatItLacks) {
  const Shape input = {3, 2};
  const ordered_json inner = {{"units", 2}};
  const auto refusal = [&](const ordered_json& config) {
    return test::refusal_of("Bidirectional", config, input);
  };
  EXPECT_EQ(refusal(around("LSTM", inner)), "");
  EXPECT_THAT(refusal(around("LSTM", inner, {{"merge_mode", nullptr}})),
              HasSubstr("merge_mode: expected concat, sum, mul or ave, got null, which has two"));
  EXPECT_THAT(refusal(around("LSTM", inner, {{"merge_mode", "max"}})), HasSubstr("merge_mode"));
  EXPECT_THAT(refusal(ordered_json::object()),
              HasSubstr("layer: expected a recurrent layer, got nothing"));
  EXPECT_THAT(refusal(around("Dense", inner)),
              HasSubstr("layer: expected SimpleRNN, LSTM, GRU, RNN or a ConvLSTM, got Dense"));
  EXPECT_THAT(refusal(around("LSTM", {{"units", 2}, {"go_backwards", true}})),
              HasSubstr("expected a layer whose go_backwards is false"));
  EXPECT_THAT(
      refusal(
          around("LSTM", inner,
                 {{"merge_mode", "sum"},
                  {"backward_layer",
                   {{"class_name", "LSTM"}, {"config", {{"units", 3}, {"go_backwards", true}}}}}})),
      HasSubstr("expected 2 units in both directions, got 3"));
}

}  // namespace
}  // namespace lockstep
