#include "src/layers/recurrent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/parallel.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"
#include "tests/support/layer_settings.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using Floats = std::vector<float>;

const std::vector<test::LayerSetting>& settings() {
  const ordered_json sequences = {{"units", 5}, {"return_sequences", true}};
  const auto with = [](ordered_json config, const ordered_json& more) {
    config.update(more);
    return config;
  };
  static const std::vector<test::LayerSetting> all = {
      {"SimpleRnn", "SimpleRNN", {{"units", 3}}, {2, 4}},
      {"SimpleRnnOfOneStep", "SimpleRNN", {{"units", 17}}, {1, 1}},
      {"SimpleRnnBackwards",
       "SimpleRNN",
       with(sequences, {{"go_backwards", true}, {"activation", "linear"}}),
       {4, 3}},
      {"SimpleRnnByInput",
       "SimpleRNN",
       with(sequences, {{"activation", "swish"}, {"recurrent_dropout", 0.4}}),
       {3, 2}},
      {"Lstm", "LSTM", {{"units", 3}}, {2, 4}},
      {"LstmOfOneStep", "LSTM", {{"units", 2}}, {1, 7}},
      {"LstmOfManySteps", "LSTM", {{"units", 4}, {"unit_forget_bias", false}}, {28, 3}},
      {"LstmSequences", "LSTM", sequences, {4, 1}},
      {"LstmBackwards", "LSTM", with(sequences, {{"go_backwards", true}}), {5, 2}},
      {"LstmWithoutBias", "LSTM", with(sequences, {{"use_bias", false}}), {3, 2}},
      {"LstmByInput",
       "LSTM",
       with(sequences, {{"activation", "gelu"}, {"recurrent_activation", "mish"}}),
       {3, 2}},
      {"LstmLinear",
       "LSTM",
       with(sequences, {{"activation", "linear"}, {"recurrent_activation", "softsign"}}),
       {3, 2}},
      {"LstmWithDropout",
       "LSTM",
       with(sequences, {{"dropout", 0.3}, {"recurrent_dropout", 0.4}}),
       {4, 3}},
      {"Gru", "GRU", {{"units", 3}}, {2, 4}},
      {"GruOfManySteps", "GRU", {{"units", 4}}, {28, 3}},
      {"GruBackwards", "GRU", with(sequences, {{"go_backwards", true}}), {5, 2}},
      {"GruWithoutBias", "GRU", with(sequences, {{"use_bias", false}}), {3, 2}},
      {"GruByInput",
       "GRU",
       with(sequences, {{"activation", "gelu"}, {"recurrent_activation", "mish"}}),
       {3, 2}},
      {"GruWithDropout",
       "GRU",
       with(sequences, {{"dropout", 0.3}, {"recurrent_dropout", 0.4}}),
       {4, 3}},
      {"GruResetBefore", "GRU", with(sequences, {{"reset_after", false}}), {4, 3}},
      {"GruResetBeforeWithoutBias",
       "GRU",
       {{"units", 3}, {"reset_after", false}, {"use_bias", false}, {"go_backwards", true}},
       {3, 2}},
      {"GruResetBeforeByInput",
       "GRU",
       with(sequences, {{"reset_after", false},
                        {"activation", "gelu"},
                        {"recurrent_activation", "mish"},
                        {"recurrent_dropout", 0.4}}),
       {3, 2}},
  };
  return all;
}

using test::LayerSettings;
INSTANTIATE_TEST_SUITE_P(Recurrent, LayerSettings, testing::ValuesIn(settings()),
                         test::setting_name);

void fill(std::span<float> values, std::uint32_t stream) {
  const RandomStream random(29, Purpose::kSynthetic, stream);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
}

// --- The order of every sum ---

/// A SimpleRNN without an activation, rows of which two are a grain, written down as the sums are
/// defined.
struct ByDefinition {
  static constexpr std::int64_t kRows = 5, kSteps = 3, kInputs = 19, kUnits = 18;
  bool backwards;
  Floats x = {}, kernel = {}, recurrent = {}, bias = {}, dy = {};
  std::vector<Floats> before = {}, dz = {};  ///< by position: (row, unit)
  Floats y = {}, dx = {}, by_kernel = {}, by_recurrent = {}, by_bias = {};

  static std::size_t at(std::int64_t i, std::int64_t columns, std::int64_t j) {
    return static_cast<std::size_t>(i * columns + j);
  }
  std::int64_t position(std::int64_t step) const { return backwards ? kSteps - 1 - step : step; }
  float input(std::int64_t row, std::int64_t position, std::int64_t k) const {
    return x[at(row * kSteps + position, kInputs, k)];
  }

  void run() {
    before.assign(kSteps, Floats(kRows * kUnits));
    dz = before;
    y.resize(kRows * kSteps * kUnits);
    Floats state(kRows * kUnits);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const std::int64_t p = position(step);
      before[static_cast<std::size_t>(p)] = state;
      for (std::int64_t row = 0; row < kRows; ++row)
        for (std::int64_t j = 0; j < kUnits; ++j) {
          float sum = 0;
          for (std::int64_t k = 0; k < kInputs; ++k)
            sum = std::fma(input(row, p, k), kernel[at(k, kUnits, j)], sum);
          for (std::int64_t k = 0; k < kUnits; ++k)
            sum = std::fma(before[static_cast<std::size_t>(p)][at(row, kUnits, k)],
                           recurrent[at(k, kUnits, j)], sum);
          state[at(row, kUnits, j)] = sum + bias[static_cast<std::size_t>(j)];
          y[at(row * kSteps + step, kUnits, j)] = state[at(row, kUnits, j)];
        }
    }
    for (std::int64_t step = kSteps; step-- > 0;)
      for (std::int64_t row = 0; row < kRows; ++row)
        for (std::int64_t j = 0; j < kUnits; ++j) {
          float sum = 0;
          if (step + 1 < kSteps)
            for (std::int64_t k = 0; k < kUnits; ++k)
              sum = std::fma(dz[static_cast<std::size_t>(position(step + 1))][at(row, kUnits, k)],
                             recurrent[at(j, kUnits, k)], sum);
          dz[static_cast<std::size_t>(position(step))][at(row, kUnits, j)] =
              step + 1 < kSteps ? dy[at(row * kSteps + step, kUnits, j)] + sum
                                : dy[at(row * kSteps + step, kUnits, j)];
        }
    dx.resize(x.size());
    for (std::int64_t row = 0; row < kRows; ++row)
      for (std::int64_t p = 0; p < kSteps; ++p)
        for (std::int64_t k = 0; k < kInputs; ++k) {
          float sum = 0;
          for (std::int64_t j = 0; j < kUnits; ++j)
            sum = std::fma(dz[static_cast<std::size_t>(p)][at(row, kUnits, j)],
                           kernel[at(k, kUnits, j)], sum);
          dx[at(row * kSteps + p, kInputs, k)] = sum;
        }
    by_kernel = gradient(kInputs, [&](std::int64_t row, std::int64_t p, std::int64_t k) {
      return input(row, p, k);
    });
    by_recurrent = gradient(kUnits, [&](std::int64_t row, std::int64_t p, std::int64_t k) {
      return before[static_cast<std::size_t>(p)][at(row, kUnits, k)];
    });
    by_bias = gradient(1, [](auto, auto, auto) { return 1.0f; });
  }

  /// Grains of rows {0, 1}, {2, 3} and {4}: (0 + 1) + 2.
  template <class F>
  Floats gradient(std::int64_t rows, const F& factor) const {
    Floats all;
    for (std::int64_t k = 0; k < rows; ++k)
      for (std::int64_t j = 0; j < kUnits; ++j) {
        std::array<float, 3> grains{};
        for (std::int64_t row = 0; row < kRows; ++row)
          for (std::int64_t p = 0; p < kSteps; ++p) {
            float& sum = grains[static_cast<std::size_t>(row / 2)];
            sum = std::fma(factor(row, p, k), dz[static_cast<std::size_t>(p)][at(row, kUnits, j)],
                           sum);
          }
        all.push_back((grains[0] + grains[1]) + grains[2]);
      }
    return all;
  }
};

TEST(Recurrent, SumsAreTheChainsThatAreDefined) {
  for (const bool backwards : {false, true}) {
    ByDefinition expected{.backwards = backwards};
    const auto layer = test::layer_of("SimpleRNN", {{"units", ByDefinition::kUnits},
                                                    {"activation", "linear"},
                                                    {"return_sequences", true},
                                                    {"go_backwards", backwards}});
    test::LayerRun run(*layer, {{ByDefinition::kSteps, ByDefinition::kInputs}},
                       ByDefinition::kRows);
    std::uint32_t stream = 0;
    for (Parameter& parameter : layer->parameters()) fill(parameter.value, ++stream);
    fill(run.x(), ++stream);
    const auto copy = [&](std::size_t i) {
      const auto& value = layer->parameters()[i].value;
      return Floats(value.begin(), value.end());
    };
    expected.x = run.x();
    expected.kernel = copy(0), expected.recurrent = copy(1), expected.bias = copy(2);
    expected.dy.resize(ByDefinition::kRows * ByDefinition::kSteps * ByDefinition::kUnits);
    fill(expected.dy, ++stream);
    expected.run();
    EXPECT_EQ(run.forward(), expected.y);
    run.backward(expected.dy);
    EXPECT_EQ(run.dx(), expected.dx);
    EXPECT_EQ(run.gradient(0), expected.by_kernel);
    EXPECT_EQ(run.gradient(1), expected.by_recurrent);
    EXPECT_EQ(run.gradient(2), expected.by_bias);
  }
}

/// Inference keeps nothing, so it has other memory to work in.
TEST(Recurrent, InferenceHasTheBitsOfTraining) {
  Network model = model_from_layers_text(
      "Input((4, 3)), SimpleRNN(5, return_sequences=True), LSTM(6, return_sequences=True), "
      "GRU(5, return_sequences=True, go_backwards=True), GRU(3, reset_after=False), Dense(2)");
  model.initialize(5);
  std::vector<Floats> outputs;
  for (const bool training : {true, false}) {
    const std::size_t ops = model.graph().ops();
    Workspace workspace(model.graph(), {.training = training,
                                        .ops = ops,
                                        .way = std::vector(ops, GradientWay::kRows),
                                        .rows = {7, 7, 7}});
    for (int pass = 0; pass < 2; ++pass) {  // the second one finds what the first has left
      fill(workspace.input({0, 7}).flat(), 1);
      const auto output = model.forward(workspace, {0, 7}, {}).flat();
      outputs.emplace_back(output.begin(), output.end());
    }
  }
  for (const Floats& output : outputs) EXPECT_EQ(output, outputs.front());
}

/// Enough rows and units that threads share them.
TEST(Recurrent, HasTheSameBitsOnOneTwoAndThreeThreads) {
  for (const ordered_json& config :
       {ordered_json{{"units", 72}}, ordered_json{{"units", 72}, {"reset_after", false}}})
    for (const std::string class_name : {"SimpleRNN", "LSTM", "GRU"}) {
      if (config.contains("reset_after") && class_name != "GRU") continue;
      std::vector<Floats> results;
      for (const int count : {1, 2, 3}) {
        set_threads(count);
        const auto layer = test::layer_of(class_name, config);
        test::LayerRun run(*layer, {{3, 5}}, 131);
        std::uint32_t stream = 0;
        for (Parameter& parameter : layer->parameters()) fill(parameter.value, ++stream);
        fill(run.x(), ++stream);
        results.push_back(run.forward());
        Floats dy(results.back().size());
        fill(dy, ++stream);
        run.backward(dy);
        results.push_back(run.dx());
        for (std::size_t i = 0; i < layer->parameters().size(); ++i)
          results.push_back(run.gradient(i));
      }
      set_threads(1);
      const std::size_t each = results.size() / 3;
      for (std::size_t i = 0; i < each; ++i) {
        EXPECT_EQ(results[i], results[each + i]) << class_name;
        EXPECT_EQ(results[i], results[2 * each + i]) << class_name;
      }
    }
}

TEST(Recurrent, NumericsFastAreClose) {
  for (const test::LayerSetting& setting : settings()) {
    const auto exact = test::layer_of(setting.class_name, setting.config);
    const auto fast = test::layer_of(setting.class_name, setting.config);
    test::LayerRun a(*exact, {setting.input}, 7);
    test::LayerRun b(*fast, {setting.input}, 7, {.training = true, .numerics = Numerics::kFast});
    fill(a.x(), 1);
    b.x() = a.x();
    for (std::size_t i = 0; i < exact->parameters().size(); ++i) {
      fill(exact->parameters()[i].value, static_cast<std::uint32_t>(i + 2));
      fill(fast->parameters()[i].value, static_cast<std::uint32_t>(i + 2));
    }
    const Floats y = a.forward();
    Floats dy(y.size());
    fill(dy, 9);
    const auto expect_near = [&](const Floats& got, const Floats& expected) {
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t k = 0; k < got.size(); ++k)
        EXPECT_NEAR(got[k], expected[k], 1e-4f * std::max(1.0f, std::abs(expected[k])))
            << setting.name;
    };
    expect_near(b.forward(), y);
    a.backward(dy);
    b.backward(dy);
    expect_near(b.dx(), a.dx());
    for (std::size_t i = 0; i < exact->parameters().size(); ++i)
      expect_near(b.gradient(i), a.gradient(i));
  }
}

// --- Keras ---

TEST(Recurrent, LstmComputesAWorkedExample) {
  const auto layer = test::layer_of("LSTM", {{"units", 1}, {"return_sequences", true}});
  test::LayerRun run(*layer, {{2, 1}}, 1);
  std::ranges::copy(Floats{.1f, .2f, .3f, .4f}, layer->parameters()[0].value.begin());
  std::ranges::copy(Floats{.5f, .6f, .7f, .8f}, layer->parameters()[1].value.begin());
  std::ranges::copy(Floats{0, 1, 0, 0}, layer->parameters()[2].value.begin());
  run.x() = {1, -1};
  EXPECT_THAT(run.forward(), testing::ElementsAre(testing::FloatNear(0.0908519395f, 1e-7f),
                                                  testing::FloatNear(-0.0023448148f, 1e-7f)));
}

TEST(Recurrent, HasKerassParameters) {
  const auto shapes = [](const char* class_name, const ordered_json& config) {
    const auto layer = test::layer_of(class_name, config);
    const test::LayerRun run(*layer, {{3, 2}}, 1);
    std::string all;
    for (const Parameter& parameter : layer->parameters())
      all += parameter.path() + " " + to_string(parameter.shape) + " ";
    return all;
  };
  EXPECT_EQ(shapes("SimpleRNN", {{"units", 5}}),
            "simple_rnn_cell/kernel (2, 5) simple_rnn_cell/recurrent_kernel (5, 5) "
            "simple_rnn_cell/bias (5) ");
  EXPECT_EQ(shapes("LSTM", {{"units", 5}}),
            "lstm_cell/kernel (2, 20) lstm_cell/recurrent_kernel (5, 20) lstm_cell/bias (20) ");
  EXPECT_EQ(shapes("GRU", {{"units", 5}}),
            "gru_cell/kernel (2, 15) gru_cell/recurrent_kernel (5, 15) gru_cell/bias (2, 15) ");
  EXPECT_EQ(shapes("GRU", {{"units", 5}, {"reset_after", false}}),
            "gru_cell/kernel (2, 15) gru_cell/recurrent_kernel (5, 15) gru_cell/bias (15) ");
  EXPECT_EQ(shapes("LSTM", {{"units", 5}, {"use_bias", false}}),
            "lstm_cell/kernel (2, 20) lstm_cell/recurrent_kernel (5, 20) ");
}

TEST(Recurrent, BeginsAsKerasDoes) {
  Network model = model_from_layers_text("Input((3, 2)), LSTM(4), Dense(2)");
  model.initialize(3);
  const auto& parameters = model.layers()[1]->parameters();
  const auto& recurrent = parameters[1].value;
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double dot = 0;
      for (std::size_t k = 0; k < 16; ++k)
        dot +=
            static_cast<double>(recurrent[i * 16 + k]) * static_cast<double>(recurrent[j * 16 + k]);
      EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-6);
    }
  EXPECT_THAT(parameters[2].value,
              testing::ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0));
  Network without = model_from_layers_text(
      "Input((3, 2)), LSTM(1, unit_forget_bias=False, bias_initializer=ones), Dense(2)");
  without.initialize(3);
  EXPECT_THAT(without.layers()[1]->parameters()[2].value, testing::ElementsAre(1, 1, 1, 1));
}

// --- Dropout ---

/// The masks of a row are those of the whole sequence: all steps, and all gates, see the same.
TEST(Recurrent, DropsTheSameInputsAndStatesInAllSteps) {
  constexpr std::int64_t kUnits = 64;
  const auto layer = test::layer_of("SimpleRNN", {{"units", kUnits},
                                                  {"activation", "linear"},
                                                  {"use_bias", false},
                                                  {"return_sequences", true},
                                                  {"dropout", 0.5},
                                                  {"recurrent_dropout", 0.5}});
  test::LayerRun run(*layer, {{3, kUnits}}, 2);
  for (std::size_t parameter = 0; parameter < 2; ++parameter)
    for (std::size_t i = 0; i < kUnits; ++i)
      layer->parameters()[parameter].value[i * kUnits + i] = 1;
  std::ranges::fill(run.x(), 1.0f);
  const Floats y = run.forward();
  int both = 0, neither = 0;
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t j = 0; j < kUnits; ++j) {
      const float input = y[row * 3 * kUnits + j];  // 2 where it is kept, else 0
      const float second = y[(row * 3 + 1) * kUnits + j], third = y[(row * 3 + 2) * kUnits + j];
      EXPECT_TRUE(input == 0 || input == 2);
      const bool keeps_state = second > input;
      EXPECT_EQ(second, input + (keeps_state ? 2 * input : 0));
      EXPECT_EQ(third, input + (keeps_state ? 2 * second : 0));
      both += keeps_state ? 1 : 0;
      neither += input == 0 ? 1 : 0;
    }
  EXPECT_GT(both, 10);
  EXPECT_LT(both, 60);
  EXPECT_GT(neither, 30);
  EXPECT_LT(neither, 100);
}

// --- Refusals ---

TEST(Recurrent, RefusesByNameWhatItLacks) {
  const auto with = [](const ordered_json& more) {
    ordered_json config = {{"units", 4}};
    config.update(more);
    return config;
  };
  const Shape input = {3, 2};
  EXPECT_EQ(test::refusal_of("LSTM", {{"units", 4}}, input), "");
  EXPECT_EQ(test::refusal_of("LSTM", with({{"unroll", true}, {"implementation", 1}}), input), "");
  EXPECT_THAT(test::refusal_of("GRU", {{"units", 0}}, input), HasSubstr("units: expected"));
  EXPECT_THAT(test::refusal_of("GRU", with({{"activation", "softmax"}}), input),
              HasSubstr("activation: expected an activation of each element, got softmax"));
  EXPECT_THAT(test::refusal_of("GRU", with({{"recurrent_activation", "log_softmax"}}), input),
              HasSubstr("recurrent_activation: expected an activation of each element"));
  EXPECT_THAT(test::refusal_of("SimpleRNN", with({{"recurrent_activation", "tanh"}}), input),
              HasSubstr("recurrent_activation: expected no such key"));
  EXPECT_THAT(test::refusal_of("LSTM", with({{"reset_after", true}}), input),
              HasSubstr("reset_after: expected no such key"));
  EXPECT_THAT(test::refusal_of("LSTM", with({{"dropout", 1.0}}), input),
              HasSubstr("dropout: expected a rate of at least 0 and less than 1, got 1"));
  EXPECT_THAT(test::refusal_of("LSTM", with({{"recurrent_constraint", "my_constraint"}}), input),
              HasSubstr("recurrent_constraint"));
  EXPECT_EQ(test::refusal_of("LSTM", {{"units", 4}}, {3}),
            "[layer] expected an input (None, time steps, features), got (None, 3)");
}

/// Keras puts the activation into the steps: a layer behind them is something else.
TEST(Recurrent, RefusesAnActivationThatIsALayer) {
  for (const std::string layer :
       {"LSTM(4, LeakyReLU(0.1))", "TransformerEncoder(4, 2, activation=LeakyReLU(0.1))"})
    expect_error(
        ExitCode::kUsage, [&] { model_from_layers_text("Input((3, 2)), " + layer + ", Dense(2)"); },
        HasSubstr("activation"));
  EXPECT_TRUE(
      model_from_layers_text("Input((3, 2)), SimpleRNN(4, ReLU()), Dense(2, ReLU())").built());
}

}  // namespace
}  // namespace lockstep
