#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "distributed/training/trainer.hpp"
#include "src/core/random.hpp"
#include "src/layers/reshaping.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"

/// Networks behind masks, over ranks: token 0 is padding.
namespace lockstep {
namespace {

constexpr std::int64_t kTokens = 6, kVocabulary = 40, kClasses = 3;
constexpr std::int64_t kRows = test::OverRanks::kRows;
constexpr std::int64_t kBatch = test::OverRanks::kBatch;

constexpr const char* kTagged =
    "Input((6,)), Embedding(40, 5, mask_zero=True), "
    "Bidirectional(GRU(4, return_sequences=True, recurrent_dropout=0.2)), Dense(6, tanh), "
    "BatchNormalization(), LSTM(5, return_sequences=True), Dense(3, softmax)";
constexpr const char* kClassified =
    "Input((6,)), TokenAndPositionEmbedding(40, 7, 6, mask_zero=True), "
    "TransformerEncoder(9, 2, dropout=0.1), TransformerDecoder(8, 3), "
    "SimpleRNN(4, return_sequences=True, go_backwards=True), GRU(5, reset_after=False), "
    "Dense(3, softmax)";
/// Gradients that owners compute, from the masks of other ranks' rows.
constexpr const char* kWide =
    "Input((6,)), Reshape((1, 6)), Masking(), LSTM(64, return_sequences=True), "
    "GRU(64, return_sequences=True), Dense(3, softmax)";

/// Two sentences of three words: an LSTM of words, then a GRU of sentences.
constexpr const char* kOfSentences =
    "Input((6,)), Reshape((2, 3)), Embedding(40, 5, mask_zero=True), TimeDistributed(LSTM(4)), "
    "GRU(5), Dense(3, softmax)";
/// The same, but what is done with a sentence is a model, which makes the mask.
constexpr const char* kModelOfSentences = R"({"class_name": "Sequential", "config": {
    "name": "of_sentences", "layers": [
      {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 6], "name": "in"}},
      {"class_name": "Reshape", "config": {"target_shape": [2, 3]}},
      {"class_name": "TimeDistributed", "config": {"layer": {"class_name": "Sequential", "config": {
        "name": "words", "layers": [
          {"class_name": "Embedding",
           "config": {"input_dim": 40, "output_dim": 5, "mask_zero": true}},
          {"class_name": "Dropout", "config": {"rate": 0.2}},
          {"class_name": "LSTM", "config": {"units": 4, "dropout": 0.1}}]}}}},
      {"class_name": "GRU", "config": {"units": 5}},
      {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}})";

/// Attention of one head and of heads that share keys, and convolutions within steps.
std::string attention() {
  Network model = model_from_layers_text(
      "Embedding(40, 8, mask_zero=True), GRU(8, return_sequences=True), "
      "Attention(use_scale=True, dropout=0.1), AdditiveAttention(), "
      "GroupQueryAttention(2, 4, 2), TimeDistributed(Reshape((4, 2))), "
      "ConvLSTM1D(3, 2, padding=same, return_sequences=True, recurrent_dropout=0.1), "
      "TimeDistributed(Flatten()), LSTM(4), Dense(3, softmax)");
  model.add_layer(std::make_unique<InputLayer>(Shape{kTokens}));
  model.connect({{10, {}},                  // 0
                 {0, {0}},                  // 1
                 {1, {1}},                  // 2
                 {2, {2, 1}, false, true},  // 3: causal
                 {3, {3, 2}},
                 {4, {4, 2}},
                 {5, {5}},
                 {6, {6}},
                 {7, {7}},
                 {8, {8}},
                 {9, {9}}},
                {10});
  model.build({kTokens});
  return model_to_json(model).dump();
}

/// Rows of all lengths; a third of the batch, all of some ranks' rows, is padding.
test::TinyData sentences(bool of_positions) {
  const RandomStream random(12, Purpose::kSynthetic, 0);
  test::TinyData data{{}, {}, {kTokens}, {}};
  if (of_positions) data.y_shape = {kTokens};
  for (std::int64_t row = 0; row < kRows; ++row) {
    const std::int64_t length = row % kBatch < kBatch / 3 ? 0 : 1 + row % kTokens;
    for (std::int64_t i = 0; i < kTokens; ++i) {
      const auto at = static_cast<std::uint64_t>(row * kTokens + i);
      const bool counts = row % 2 == 0 ? i < length : i >= kTokens - length;
      data.x.push_back(counts ? static_cast<float>(random.below(kVocabulary, at)) : 0.0f);
      if (of_positions || i == 0) data.y.push_back(static_cast<float>((row * row + i) % kClasses));
    }
  }
  return data;
}

Network made(const char* layers) {
  Network model = model_from_layers_text(layers);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

using MasksOverRanks = test::OverRanks;
INSTANTIATE_TEST_SUITE_P(Strategies, MasksOverRanks, test::kStrategies, test::strategy_name);

TEST_P(MasksOverRanks, GiveOneRanksBitsWithAMaskAtTheLoss) {
  expect_what_one_rank_computes(kTagged, sentences(true));
}

TEST_P(MasksOverRanks, GiveOneRanksBitsWithAMaskThatEndsBefore) {
  expect_what_one_rank_computes(kClassified, sentences(false));
}

TEST_P(MasksOverRanks, GiveOneRanksBitsOfSentencesOfWords) {
  expect_what_one_rank_computes(kOfSentences, sentences(false));
  expect_what_one_rank_computes(kModelOfSentences, sentences(false));
}

TEST_P(MasksOverRanks, GiveOneRanksBitsOfAttentionAndConvolutions) {
  expect_what_one_rank_computes(attention(), sentences(false));
}

TEST_P(MasksOverRanks, GiveOneRanksBitsWithGradientsByOwners) {
  for (const int host_ranks : {2, 3, 4})
    EXPECT_THAT(test::gradient_ways_of(kWide, host_ranks,
                                       [](const Parameter& parameter) {
                                         return parameter.name == "recurrent_kernel";
                                       }),
                testing::Each(GradientWay::kOwner));
  test::TinyData data = sentences(false);
  data.y_shape = {1};
  expect_what_one_rank_computes(kWide, data);
}

/// Loss and accuracy of the positions that count alone; a batch counts by its rows.
TEST(Masks, WeighLossAndMetricsAsKerasDoes) {
  Network model = made(kTagged);
  const test::TinyData data = sentences(true);
  Trainer trainer(model, test::world(), {.batch_size = kBatch});
  const Evaluation evaluation = trainer.evaluate(data.view());
  std::vector<float> predictions(static_cast<std::size_t>(kRows * kTokens * kClasses));
  predict(model, test::world(), data.view().x, kBatch, [&](std::int64_t first, ConstMatrix some) {
    std::copy_n(some.data, some.size(), predictions.begin() + first * kTokens * kClasses);
  });
  double loss = 0, right = 0, all = 0;
  for (std::int64_t first = 0; first < kRows; first += kBatch) {
    double sum = 0, number = 0;
    const std::int64_t last = std::min(first + kBatch, kRows);
    for (std::int64_t at = first * kTokens; at < last * kTokens; ++at) {
      if (data.x[static_cast<std::size_t>(at)] == 0) continue;
      const float* const p = predictions.data() + at * kClasses;
      const auto wanted = static_cast<std::int64_t>(data.y[static_cast<std::size_t>(at)]);
      sum -= std::log(static_cast<double>(p[wanted]));
      number += 1;
      right += std::max_element(p, p + kClasses) - p == wanted ? 1 : 0;
    }
    loss += sum / number * static_cast<double>(last - first);
    all += number;
  }
  if (!test::world().is_root()) return;
  EXPECT_NEAR(evaluation.loss, loss / static_cast<double>(kRows), 1e-6);
  EXPECT_DOUBLE_EQ(evaluation.metrics[0].second, right / all);
}

/// Whatever the targets of masked positions are.
TEST(Masks, LeaveMaskedPositionsOutOfTraining) {
  std::vector<std::string> weights;
  std::vector<double> losses;
  for (const bool other : {false, true}) {
    Network model = made(kTagged);
    test::TinyData data = sentences(true);
    for (std::size_t i = 0; i < data.y.size(); ++i)
      if (other && data.x[i] == 0) data.y[i] = 2 - data.y[i];
    Trainer trainer(model, test::world(), {.epochs = 2, .batch_size = kBatch});
    losses.push_back(trainer.fit(data.view()).back().loss);
    weights.push_back(model.weights_sha256());
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(losses[0], losses[1]);
}

TEST(Masks, GiveALossOfZeroAndNoGradientWhereNothingCounts) {
  Network model = made("Input((6,)), Embedding(40, 4, mask_zero=True), Dense(3, softmax)");
  constexpr std::uint64_t kSeed = 5;
  model.initialize(kSeed);
  const std::string before = model.weights_sha256();
  test::TinyData data = sentences(true);
  std::ranges::fill(data.x, 0.0f);
  Trainer trainer(model, test::world(), {.batch_size = kBatch, .seed = kSeed});
  const EpochReport report = trainer.fit(data.view()).back();
  EXPECT_EQ(report.loss, 0);
  EXPECT_EQ(report.metrics[0].second, 0);
  EXPECT_EQ(model.weights_sha256(), before);
}

}  // namespace
}  // namespace lockstep
