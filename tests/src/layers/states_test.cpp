// Recurrent layers that return their states, and that begin with states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/core/parallel.hpp"
#include "src/core/random.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

struct Case {
  std::string class_name;
  ordered_json config;
  std::vector<Shape> inputs;
};

ordered_json layer(const std::string& class_name, const ordered_json& config) {
  return {{"class_name", class_name}, {"config", config}};
}

/// Each returns its states, and most begin with some.
const std::vector<Case>& cases() {
  const ordered_json both = {{"units", 2}, {"return_sequences", true}, {"return_state", true}};
  const auto with = [&](const ordered_json& more) {
    ordered_json config = both;
    config.update(more);
    return config;
  };
  const Shape x = {4, 3}, h = {2};
  static const std::vector<Case> all = {
      {"SimpleRNN", {{"units", 3}, {"return_state", true}}, {x}},
      {"SimpleRNN", with({{"activation", "swish"}, {"recurrent_dropout", 0.4}}), {x, h}},
      {"LSTM", {{"units", 3}, {"return_state", true}}, {x}},
      {"LSTM", both, {x, h, h}},
      {"LSTM", with({{"return_state", false}}), {x, h, h}},
      {"LSTM", with({{"go_backwards", true}, {"recurrent_dropout", 0.4}}), {x, h, h}},
      {"LSTM", with({{"return_sequences", false}, {"zero_output_for_mask", true}}), {x, h, h}},
      {"LSTM", both, {{1, 5}, h, h}},
      {"GRU", both, {x}},
      {"GRU", with({{"recurrent_dropout", 0.3}}), {x, h}},
      {"GRU", with({{"reset_after", false}, {"recurrent_dropout", 0.3}}), {x, h}},
      {"Bidirectional", {{"layer", layer("LSTM", both)}}, {x, h, h, h, h}},
      {"Bidirectional", {{"layer", layer("GRU", both)}, {"merge_mode", "ave"}}, {x}},
      {"RNN", {{"cell", layer("LSTMCell", {{"units", 2}})}, {"return_state", true}}, {x, h, h}},
      {"RNN",
       {{"cell", {layer("LSTMCell", {{"units", 2}}), layer("GRUCell", {{"units", 3}})}},
        {"return_sequences", true},
        {"return_state", true}},
       {x, h, h, {3}}},
  };
  return all;
}

/// Of 11 rows: right, left and middle positions masked, none and all.
test::LayerRun::Masks gaps(std::int64_t steps, std::size_t rows) {
  Floats mask;
  for (std::size_t row = 0; row < rows; ++row)
    for (std::int64_t step = 0; step < steps; ++step)
      mask.push_back(row % 5 == 0   ? 0
                     : row % 5 == 1 ? static_cast<float>(step > 0)
                     : row % 5 == 2 ? static_cast<float>(step + 1 < steps)
                     : row % 5 == 3 ? static_cast<float>(step % 2)
                                    : 1);
  return {mask};
}

TEST(States, BackwardMatchesFiniteDifferences) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.class_name + each.config.dump());
    for (const bool masked : {false, true}) {
      const auto made = test::layer_of(each.class_name, each.config);
      test::expect_merged_gradients_match_finite_differences(
          *made, each.inputs, 5, {.training = true}, false,
          masked ? gaps(each.inputs[0][0], 5) : test::LayerRun::Masks());
    }
  }
}

TEST(States, GiveTheSameBitsInBlocks) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.class_name + each.config.dump());
    test::expect_the_same_bits_in_blocks(each.class_name, each.config, each.inputs);
    test::expect_the_same_bits_in_blocks(each.class_name, each.config, each.inputs,
                                         gaps(each.inputs[0][0], 11));
  }
}

TEST(States, AreCountedBeforeTheyAreMade) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.class_name + each.config.dump());
    const auto made = test::layer_of(each.class_name, each.config);
    made->set_name("layer");
    const std::size_t counted = made->number_of_outputs();
    Graph graph;
    std::vector<std::size_t> inputs;
    for (const Shape& shape : each.inputs) inputs.push_back(graph.add_input(shape));
    EXPECT_EQ(made->apply_all(graph, inputs).size(), counted);
  }
}

TEST(States, ConfigMakesTheSameLayerAgain) {
  for (const Case& each : cases()) {
    const ordered_json written = test::layer_of(each.class_name, each.config)->config();
    EXPECT_EQ(test::layer_of(each.class_name, written)->config(), written);
    if (each.config.contains("return_state")) {
      EXPECT_EQ(written["return_state"], each.config["return_state"]);
    }
  }
}

Floats random_values(std::size_t count, std::uint32_t stream) {
  const RandomStream random(29, Purpose::kSynthetic, stream);
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

/// What an LSTM of 3 units makes of a row of steps of 2, with states unless they are empty.
Floats run_lstm(const Floats& x, const Floats& states, bool backwards) {
  const auto made = test::layer_of("LSTM", {{"units", 3},
                                            {"return_sequences", true},
                                            {"return_state", true},
                                            {"go_backwards", backwards}});
  std::vector<Shape> shapes = {{static_cast<std::int64_t>(x.size()) / 2, 2}};
  if (!states.empty()) shapes.insert(shapes.end(), 2, {3});
  test::LayerRun run(*made, shapes, 1);
  std::uint32_t stream = 0;
  for (Parameter& parameter : made->parameters())
    std::ranges::copy(random_values(parameter.value.size(), ++stream), parameter.value.begin());
  run.x(0) = x;
  if (!states.empty()) {
    run.x(1) = {states.begin(), states.begin() + 3};
    run.x(2) = {states.begin() + 3, states.end()};
  }
  return run.forward();
}

TEST(States, GoOnWhereTheyWere) {
  const Floats x = random_values(10, 7);
  for (const bool backwards : {false, true}) {
    const Floats whole = run_lstm(x, {}, backwards);
    ASSERT_EQ(whole.size(), 5u * 3 + 6);
    const Floats begin(x.begin(), x.begin() + 4), end(x.begin() + 4, x.end());
    const Floats first = run_lstm(backwards ? end : begin, {}, backwards);
    const Floats states(first.end() - 6, first.end());
    const Floats second = run_lstm(backwards ? begin : end, states, backwards);
    Floats joined(first.begin(), first.end() - 6);
    joined.insert(joined.end(), second.begin(), second.end());
    EXPECT_EQ(joined, whole);
    EXPECT_TRUE(std::equal(whole.end() - 9, whole.end() - 6, whole.end() - 6)) << "h is the last y";
  }
}

TEST(States, OfZerosHaveTheBitsOfNone) {
  const Floats x = random_values(8, 3);
  EXPECT_EQ(run_lstm(x, Floats(6), false), run_lstm(x, {}, false));
}

/// Applied to inputs of these shapes.
void apply(const std::string& class_name, const ordered_json& config,
           const std::vector<Shape>& inputs) {
  const auto made = test::layer_of(class_name, config);
  made->set_name("layer");
  Graph graph;
  std::vector<std::size_t> values;
  for (const Shape& shape : inputs) values.push_back(graph.add_input(shape));
  made->apply_all(graph, values);
}

void expect_refused(const std::string& class_name, const ordered_json& config,
                    const std::vector<Shape>& inputs, const std::string& message) {
  expect_error(
      ExitCode::kBadData, [&] { apply(class_name, config, inputs); }, HasSubstr(message));
}

TEST(States, AreRefusedByNameWhereTheyDoNotFit) {
  const Shape x = {4, 3}, h = {2};
  const ordered_json units = {{"units", 2}}, state = {{"units", 2}, {"return_state", true}};
  EXPECT_NO_THROW(apply("LSTM", units, {x, h, h}));
  expect_refused("LSTM", units, {x, h},
                 "[layer] expected one input, or 3 with the initial states, got 2");
  expect_refused("GRU", units, {x, {3}}, "[layer] expected an initial state (None, 2), got");
  expect_refused("Dense", units, {h, h}, "[layer] expected one input, got 2");
  expect_refused("ConvLSTM1D", {{"filters", 2}, {"kernel_size", 1}}, {{4, 3, 1}, {3, 2}, {3, 2}},
                 "[layer] expected one input, got 3");
  expect_refused("ConvLSTM1D", {{"filters", 2}, {"kernel_size", 1}, {"return_state", true}},
                 {{4, 3, 1}}, "return_state: expected false, got true");
  expect_refused("TimeDistributed", {{"layer", layer("GRU", state)}}, {{2, 4, 3}},
                 "expected a layer of one output, got 2");
  expect_refused("Bidirectional",
                 {{"layer", layer("GRU", state)},
                  {"backward_layer", layer("GRU", {{"units", 2}, {"go_backwards", true}})}},
                 {x}, "expected one return_state of both directions");
  // Keras halves the list.
  expect_refused("Bidirectional",
                 {{"layer", layer("LSTM", units)},
                  {"backward_layer", layer("GRU", {{"units", 2}, {"go_backwards", true}})}},
                 {x, h, h, h}, "[layer] expected one input, got 4");
  const ordered_json stack = layer("StackedRNNCells", {{"cells", {layer("GRUCell", units)}}});
  expect_refused("RNN", {{"cell", {stack, layer("GRUCell", units)}}}, {x, h, h},
                 "[layer] expected one input, got 3");
}

}  // namespace
}  // namespace lockstep
