#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "src/model/network_builder.hpp"
#include "tests/src/model/expect_error.hpp"

/// Layers that carry their states from batch to batch.
namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

constexpr std::int64_t kRows = 4, kSteps = 3, kFeatures = 2;

Floats numbers(std::int64_t count, std::uint32_t key) {
  const RandomStream random(3, Purpose::kSynthetic, key);
  Floats all(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<float>(random.normal(i));
  return all;
}

/// Rows of `steps` steps each, from step `first` of rows of all steps.
Floats window(const Floats& all, std::int64_t all_steps, std::int64_t first, std::int64_t steps) {
  Floats part;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const auto begin = all.begin() + (row * all_steps + first) * kFeatures;
    part.insert(part.end(), begin, begin + steps * kFeatures);
  }
  return part;
}

Floats outputs_of(const Network& model, const Floats& x, std::int64_t rows = kRows,
                  std::int64_t first = 0) {
  const Workspace workspace = model.inference_workspace(rows);
  const auto row = static_cast<std::int64_t>(x.size()) / kRows;
  std::copy_n(x.begin() + first * row, rows * row, workspace.input({0, rows}).data);
  const Matrix y = model.forward(workspace, {0, rows}, {.first_row = first});
  return {y.flat().begin(), y.flat().end()};
}

/// The same layers, stateful and not.
Network network(std::string layers, std::int64_t steps, bool stateful) {
  const std::string word = "STATEFUL";
  for (std::size_t at = layers.find(word); at != std::string::npos; at = layers.find(word))
    layers.replace(at, word.size(), stateful ? "stateful=True" : "stateful=False");
  Network model =
      model_from_layers_text(fmt::format("Input(({}, {})), {}", steps, kFeatures, layers));
  model.initialize(5);
  if (stateful) {
    model.set_batch_size(kRows);
    model.begin_states();
  }
  return model;
}

class Stateful : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(
    Layers, Stateful,
    testing::Values(
        "SimpleRNN(3, return_sequences=True, STATEFUL)", "LSTM(3, return_sequences=True, STATEFUL)",
        "GRU(3, return_sequences=True, STATEFUL)",
        "GRU(3, reset_after=False, return_sequences=True, STATEFUL)",
        "LSTM(3, return_sequences=True, STATEFUL), GRU(2, return_sequences=True, STATEFUL)",
        "RNN([LSTMCell(2), GRUCell(3), LSTMCell(2)], return_sequences=True, STATEFUL)"));

TEST_P(Stateful, WindowsInOrderAreOneLongSequence) {
  const Floats x = numbers(kRows * 3 * kSteps * kFeatures, 0);
  const Floats whole = outputs_of(network(GetParam(), 3 * kSteps, false), x);
  const Network model = network(GetParam(), kSteps, true);
  const auto units = static_cast<std::int64_t>(whole.size()) / (kRows * 3 * kSteps);
  for (std::int64_t part = 0; part < 3; ++part) {
    const Floats now = window(x, 3 * kSteps, part * kSteps, kSteps);
    const Floats y = outputs_of(model, now);
    EXPECT_EQ(outputs_of(model, now), y) << "a pass is repeated";
    for (std::int64_t row = 0; row < kRows; ++row)
      EXPECT_TRUE(std::equal(y.begin() + row * kSteps * units,
                             y.begin() + (row + 1) * kSteps * units,
                             whole.begin() + (row * 3 + part) * kSteps * units))
          << "row " << row << " of window " << part;
    model.turn_states();
  }
}

TEST_P(Stateful, RowsGoOnAtTheirPlacesHoweverTheyAreGrouped) {
  const Network together = network(GetParam(), kSteps, true);
  const Network apart = network(GetParam(), kSteps, true);
  for (std::uint32_t batch = 0; batch < 3; ++batch) {
    const Floats x = numbers(kRows * kSteps * kFeatures, batch);
    Floats y = outputs_of(apart, x, 1);
    for (const float number : outputs_of(apart, x, 3, 1)) y.push_back(number);
    EXPECT_EQ(y, outputs_of(together, x)) << batch;
    together.turn_states();
    apart.turn_states();
  }
}

TEST_P(Stateful, ResetStatesAreZeros) {
  const Network model = network(GetParam(), kSteps, true);
  const Floats x = numbers(kRows * kSteps * kFeatures, 0);
  const Floats first = outputs_of(model, x);
  model.turn_states();
  EXPECT_NE(outputs_of(model, x), first);
  model.turn_states();
  model.reset_states();
  EXPECT_EQ(outputs_of(model, x), first);
  EXPECT_EQ(outputs_of(network(GetParam(), kSteps, false), x), first);
}

/// Gradients by all weights, of the sum of outputs.
Floats gradients_of(Network& model, const std::vector<Floats>& inputs) {
  const Workspace workspace = model.training_workspace(kRows);
  const Range rows{0, kRows};
  for (std::size_t i = 0; i < inputs.size(); ++i)
    std::ranges::copy(inputs[i], workspace.input(rows, i).data);
  const Pass pass{.training = true, .batch_rows = kRows};
  model.forward(workspace, rows, pass);
  std::ranges::fill(workspace.output_gradient(rows).flat(), 1.0f);
  model.backward(workspace, rows, pass);
  Floats gradients(static_cast<std::size_t>(model.arena().trainable_size()));
  model.gradients(workspace, rows, pass, {.samples = {&rows, 1}, .grain = kRows},
                  {0, model.arena().trainable_size()}, gradients.data());
  return gradients;
}

class StatefulGradients : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Layers, StatefulGradients, testing::Values("SimpleRNN", "LSTM", "GRU"));

TEST_P(StatefulGradients, AreThoseOfACallWithThatInitialState) {
  const std::string name = GetParam();
  const std::size_t states = name == "LSTM" ? 2 : 1;
  const std::vector<Floats> before = {numbers(kRows * 3, 10), numbers(kRows * 3, 11)};
  const Floats x = numbers(kRows * kSteps * kFeatures, 0);

  NetworkBuilder builder("begun");
  std::vector<NetworkBuilder::Call> inputs = {builder.input({kSteps, kFeatures})};
  for (std::size_t k = 0; k < states; ++k) inputs.push_back(builder.input({3}));
  Network begun = builder.build({builder.apply(builder.add("it", name + "(3)"), inputs)});
  begun.initialize(5);
  std::vector<Floats> values = {x};
  values.insert(values.end(), before.begin(), before.begin() + static_cast<std::ptrdiff_t>(states));

  Network model = network(name + "(3, STATEFUL)", kSteps, true);
  ASSERT_EQ(model.graph().states().size(), states);
  for (std::size_t k = 0; k < states; ++k)
    std::ranges::copy(before[k], model.graph().states()[k]->before().flat().begin());
  const Floats expected = gradients_of(begun, values);
  EXPECT_EQ(gradients_of(model, {x}), expected);
  model.reset_states();
  EXPECT_NE(gradients_of(model, {x}), expected);
}

/// Keras's outputs begin with zeros, whatever the states.
TEST(StatefulLayers, GiveZerosForMaskedFirstStepsAsACallWithAnInitialState) {
  const std::string layer = "GRU(3, return_sequences=True, STATEFUL)";
  Floats x = numbers(kRows * kSteps * kFeatures, 0);
  for (const std::int64_t row : {0, 2})
    std::fill_n(x.begin() + row * kSteps * kFeatures, (1 + row / 2) * kFeatures, 0.0f);
  const Floats before = numbers(kRows * 3, 10);

  NetworkBuilder builder("begun");
  const auto rows = builder.input({kSteps, kFeatures}), state = builder.input({3});
  const auto masked = builder.apply(builder.add("mask", "Masking()"), rows);
  Network begun = builder.build(
      {builder.apply(builder.add("it", "GRU(3, return_sequences=True)"), {masked, state})});
  begun.initialize(5);
  const Workspace workspace = begun.inference_workspace(kRows);
  std::ranges::copy(x, workspace.input({0, kRows}).data);
  std::ranges::copy(before, workspace.input({0, kRows}, 1).data);
  const Matrix expected = begun.forward(workspace, {0, kRows}, {});

  const Network model = network("Masking(), " + layer, kSteps, true);
  std::ranges::copy(before, model.graph().states()[0]->before().flat().begin());
  const Floats y = outputs_of(model, x);
  EXPECT_TRUE(std::ranges::equal(y, expected.flat()));
  EXPECT_EQ(y.front(), 0);
}

TEST(StatefulLayers, BeginWithZerosUntilTheBatchSizeIsKnown) {
  const Network model = model_from_layers_text("Input((3, 2)), LSTM(3, stateful=True)");
  EXPECT_TRUE(model.is_stateful());
  EXPECT_EQ(model.batch_size(), 0);
  const Floats x = numbers(kRows * kSteps * kFeatures, 0);
  const Floats y = outputs_of(model, x);
  model.turn_states();
  EXPECT_EQ(outputs_of(model, x), y);
}

TEST(StatefulLayers, KeepTheirBatchSizeInJson) {
  Network model = model_from_layers_text("LSTM(3, stateful=True, input_shape=(3, 2)), Dense(1)");
  EXPECT_EQ(model_to_json(model)["config"]["layers"][0]["config"]["batch_input_shape"],
            ordered_json::parse("[null, 3, 2]"));
  model.set_batch_size(4);
  for (const KerasMajor keras : {KerasMajor::k2, KerasMajor::k3}) {
    const std::string text = model_to_json(model, keras).dump();
    EXPECT_THAT(text, HasSubstr("[4,3,2]"));
    EXPECT_THAT(text, HasSubstr("\"stateful\":true"));
    EXPECT_EQ(model_from_json_text(text).batch_size(), 4);
  }
  expect_error(
      ExitCode::kUsage, [&] { model.set_batch_size(5); }, HasSubstr("expected batches of 4 rows"));
}

TEST(StatefulLayers, OthersDropTheBatchSize) {
  const Network model = model_from_json_text(
      R"({"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config":
         {"units": 2, "batch_input_shape": [4, 3]}}]}})");
  EXPECT_FALSE(model.is_stateful());
  EXPECT_EQ(model.batch_size(), 0);
}

TEST(StatefulLayers, RefuseWhatHasNoMeaning) {
  const auto expect_refusal = [](const std::string& layers, const char* words) {
    expect_error(
        ExitCode::kUsage, [&] { model_from_layers_text(layers); }, HasSubstr(words));
  };
  expect_refusal("Input((2, 3, 2)), TimeDistributed(LSTM(3, stateful=True))",
                 "not stateful in a TimeDistributed");
  expect_refusal("Input((3, 5, 5, 1)), ConvLSTM2D(2, 3, stateful=True)",
                 "stateful: expected false");
  NetworkBuilder twice("twice");
  const auto layer = twice.add("it", "LSTM(2, stateful=True, return_sequences=True)");
  const auto once = twice.apply(layer, {twice.input({3, 2})});
  const auto again = twice.apply(layer, {once});
  expect_error(
      ExitCode::kBadData, [&] { twice.build({again}); }, HasSubstr("one call of a stateful layer"));
  NetworkBuilder begun("begun");
  const auto x = begun.input({3, 2}), h = begun.input({2});
  const auto y = begun.apply(begun.add("it", "GRU(2, stateful=True)"), {x, h});
  expect_error(
      ExitCode::kBadData, [&] { begun.build({y}); },
      HasSubstr("no initial state in a call of a stateful layer"));
}

}  // namespace
}  // namespace lockstep
