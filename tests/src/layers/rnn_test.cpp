#include "src/layers/rnn.hpp"

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

ordered_json object(const std::string& class_name, const ordered_json& config) {
  return {{"class_name", class_name}, {"config", config}};
}

ordered_json around(const ordered_json& cell, const ordered_json& more = ordered_json::object()) {
  ordered_json config = {{"cell", cell}};
  config.update(more);
  return config;
}

ordered_json stack() {
  return ordered_json::array(
      {object("LSTMCell", {{"units", 2}, {"dropout", 0.3}, {"recurrent_dropout", 0.2}}),
       object("GRUCell", {{"units", 3}, {"dropout", 0.3}, {"recurrent_dropout", 0.2}}),
       object("SimpleRNNCell", {{"units", 2}})});
}

const std::vector<ordered_json>& configs() {
  static const std::vector<ordered_json> all = {
      around(object("LSTMCell", {{"units", 3}}), {{"return_sequences", true}}),
      around(stack(), {{"go_backwards", true}, {"return_sequences", true}}),
      around(object("StackedRNNCells",
                    {{"cells", ordered_json::array({object("StackedRNNCells", {{"cells", stack()}}),
                                                    object("GRUCell", {{"units", 2}})})}})),
  };
  return all;
}

TEST(Rnn, BackwardMatchesFiniteDifferences) {
  for (const ordered_json& config : configs())
    test::expect_gradients_match_finite_differences(*test::layer_of("RNN", config), {4, 3}, 3);
}

TEST(Rnn, GivesTheSameBitsInBlocks) {
  for (const ordered_json& config : configs())
    test::expect_the_same_bits_in_blocks("RNN", config, {{4, 3}});
}

TEST(Rnn, ConfigMakesTheSameLayerAgain) {
  for (const ordered_json& config : configs()) {
    const ordered_json written = test::layer_of("RNN", config)->config();
    EXPECT_EQ(test::layer_of("RNN", written)->config(), written);
  }
}

/// The outputs of layers one behind the other, of which each has some of the parameters.
Floats in_turn(const Layer& rnn, const std::vector<std::string>& classes,
               const std::vector<ordered_json>& configs, Floats values, Shape shape,
               std::int64_t rows) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const auto layer = test::layer_of(classes[i], configs[i]);
    test::LayerRun run(*layer, {shape}, rows, {.training = false});
    for (Parameter& parameter : layer->parameters())
      std::ranges::copy(rnn.parameters()[next++].value, parameter.value.begin());
    run.x() = values;
    values = run.forward();
    shape = run.output_shape();
  }
  EXPECT_EQ(next, rnn.parameters().size());
  return values;
}

/// Backwards too: a sequence that goes backwards comes out turned round, and the layers behind it
/// go on in its order.
TEST(Rnn, HasTheBitsOfItsCellsLayers) {
  constexpr std::int64_t kRows = 3;
  for (const bool backwards : {false, true}) {
    const auto layer = test::layer_of(
        "RNN", around(stack(), {{"go_backwards", backwards}, {"return_sequences", true}}));
    test::LayerRun run(*layer, {{5, 3}}, kRows, {.training = false});
    const RandomStream random(23, Purpose::kSynthetic, 0);
    std::uint64_t at = 0;
    for (Parameter& parameter : layer->parameters())
      for (float& value : parameter.value) value = 2 * random.uniform(at++) - 1;
    for (float& value : run.x()) value = 2 * random.uniform(at++) - 1;
    EXPECT_EQ(run.forward(),
              in_turn(*layer, {"LSTM", "GRU", "SimpleRNN"},
                      {{{"units", 2}, {"return_sequences", true}, {"go_backwards", backwards}},
                       {{"units", 3}, {"return_sequences", true}},
                       {{"units", 2}, {"return_sequences", true}}},
                      run.x(), {5, 3}, kRows));
  }
}

/// Masked are the first, a middle and the last steps of a row, and all of another.
Floats behind_a_mask(const std::string& layers) {
  Network model = model_from_layers_text("Input((6, 3)), Masking(), " + layers);
  model.initialize(4);
  const Workspace workspace = model.inference_workspace(3);
  const Matrix x = workspace.input({0, 3});
  const RandomStream random(23, Purpose::kSynthetic, 0);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data[i] = 2 * random.uniform(static_cast<std::uint64_t>(i)) - 1;
  for (const std::int64_t step : {0, 1, 3, 5}) std::fill_n(x.row(0) + 3 * step, 3, 0.0f);
  std::fill_n(x.row(1), 18, 0.0f);
  const Matrix y = model.forward(workspace, {0, 3}, {});
  return {y.data, y.data + y.size()};
}

TEST(Rnn, BehindAMaskHasTheBitsOfItsCellsLayers) {
  EXPECT_EQ(behind_a_mask("RNN([LSTMCell(2), GRUCell(4)])"),
            behind_a_mask("LSTM(2, return_sequences=True), GRU(4)"));
  EXPECT_EQ(behind_a_mask("RNN([LSTMCell(2), GRUCell(4)], return_sequences=True)"),
            behind_a_mask("LSTM(2, return_sequences=True), GRU(4, return_sequences=True)"));
}

/// Two cells alike, with weights that hand on what they read: were their masks the same, an element
/// would be dropped by both or by none.
TEST(Rnn, CellsHaveMasksOfTheirOwn) {
  const ordered_json cell =
      object("SimpleRNNCell", {{"units", 64}, {"dropout", 0.5}, {"activation", "linear"}});
  const auto layer = test::layer_of("RNN", around(ordered_json::array({cell, cell})));
  test::LayerRun run(*layer, {{1, 64}}, 1, {.training = true, .seed = 5});
  for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
    const auto& values = layer->parameters()[i].value;
    std::ranges::fill(values, 0.0f);
    for (std::size_t j = 0; j < 64 && i % 3 == 0; ++j) values[65 * j] = 1;
  }
  std::ranges::fill(run.x(), 1.0f);
  const Floats y = run.forward();
  const auto kept = std::ranges::count(y, 4.0f);
  EXPECT_GT(kept, 4);
  EXPECT_LT(kept, 28);
  EXPECT_EQ(kept + std::ranges::count(y, 0.0f), 64);
}

TEST(Rnn, HasKerassNamesOfWeights) {
  const ordered_json config = around(object(
      "StackedRNNCells",
      {{"name", "stack"},
       {"cells", ordered_json::array({object("LSTMCell", {{"units", 2}, {"name", "first"}}),
                                      object("LSTMCell", {{"units", 3}, {"use_bias", false}})})}}));
  const auto layer = test::layer_of("RNN", config);
  const test::LayerRun run(*layer, {{3, 2}}, 1);
  std::vector<std::string> paths, stores;
  for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
    paths.push_back(layer->parameters()[i].path());
    stores.push_back(layer->stores()[i]);
  }
  EXPECT_THAT(paths, testing::ElementsAre("stack/first/kernel", "stack/first/recurrent_kernel",
                                          "stack/first/bias", "stack/lstm_cell/kernel",
                                          "stack/lstm_cell/recurrent_kernel"));
  EXPECT_THAT(stores,
              testing::ElementsAre("cell/cells/lstm_cell/vars/0", "cell/cells/lstm_cell/vars/1",
                                   "cell/cells/lstm_cell/vars/2", "cell/cells/lstm_cell_1/vars/0",
                                   "cell/cells/lstm_cell_1/vars/1"));
}

TEST(Rnn, CellsMayBeFrozen) {
  ordered_json cells = stack();
  cells[1]["config"]["trainable"] = false;
  const auto layer = test::layer_of("RNN", around(cells));
  const test::LayerRun run(*layer, {{3, 2}}, 1);
  std::vector<bool> trained;
  for (const Parameter& parameter : layer->parameters()) trained.push_back(parameter.trained());
  EXPECT_THAT(trained,
              testing::ElementsAre(true, true, true, false, false, false, true, true, true));
}

TEST(Rnn, IsWrittenInOneLine) {
  const Network model = model_from_layers_text(
      "Input((3, 2)), RNN([LSTMCell(4), GRUCell(5, reset_after=False)], return_sequences=True), "
      "Bidirectional(RNN(SimpleRNNCell(3), return_sequences=True)), "
      "RNN(StackedRNNCells((LSTMCell(2), LSTMCell(2)))), Dense(2)");
  EXPECT_EQ(model.output_shape_of(1), (Shape{3, 5}));
  EXPECT_EQ(model.output_shape_of(2), (Shape{3, 6}));
  EXPECT_EQ(model.output_shape_of(3), (Shape{2}));
  EXPECT_EQ(model.layers()[3]->parameters()[3].path(), "stacked_rnn_cells/lstm_cell_1/kernel");
}

TEST(Rnn, RefusesByNameWhatItLacks) {
  const auto refusal = [](const ordered_json& config, const Shape& input = {3, 2}) {
    return test::refusal_of("RNN", config, input);
  };
  const ordered_json cell = object("LSTMCell", {{"units", 2}});
  EXPECT_EQ(refusal(around(cell)), "");
  EXPECT_THAT(refusal(ordered_json::object()), HasSubstr("cell: expected SimpleRNNCell, LSTMCell"));
  EXPECT_THAT(refusal(around(object("LSTM", {{"units", 2}}))),
              HasSubstr("expected SimpleRNNCell, LSTMCell, GRUCell or StackedRNNCells, got LSTM"));
  EXPECT_THAT(refusal(around(ordered_json::array())), HasSubstr("one cell or more, got none"));
  EXPECT_THAT(refusal(around(object("StackedRNNCells", {{"cells", 3}}))),
              HasSubstr("cells: expected a list of cells, got 3"));
  EXPECT_THAT(refusal(around(object("LSTMCell", {{"units", 2}, {"return_sequences", true}}))),
              HasSubstr("return_sequences"));
  EXPECT_THAT(refusal(around(cell), {3}), HasSubstr("expected an input (None, time steps"));
  EXPECT_THAT(test::refusal_of("LSTMCell", {{"units", 2}}, {3, 2}),
              HasSubstr("expected a cell within an RNN, got LSTMCell as a layer of its own"));
}

}  // namespace
}  // namespace lockstep
