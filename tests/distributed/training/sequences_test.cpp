#include <fmt/format.h>

#include "distributed/training/trainer.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"

/// Networks that begin with token ids, over ranks.
namespace lockstep {
namespace {

constexpr std::int64_t kClasses = 3;
constexpr std::int64_t kTokens = 6;
constexpr std::int64_t kRows = test::OverRanks::kRows;

/// Of 40 tokens 0 is in every row, 39 in one, and 38 in none.
constexpr std::int64_t kVocabulary = 40;
constexpr const char* kFewTokens =
    "Input((6,)), Embedding(40, 5), Dense(4, tanh), Flatten(), Dense(3, softmax)";
/// A table larger than what the rows need of it: gradients by owners.
constexpr const char* kManyTokens =
    "Input((6,)), Embedding(500, 8, embeddings_regularizer=l2(1e-3)), Flatten(), "
    "Dense(3, softmax)";

/// Attention, causal and not, with dropout.
constexpr const char* kAttention =
    "Input((6,)), TokenAndPositionEmbedding(40, 7, 6), TransformerEncoder(9, 2, dropout=0.1), "
    "TransformerDecoder(8, 3, activation=gelu, normalize_first=True), Flatten(), "
    "Dense(3, softmax)";

test::TinyData sentences() {
  const RandomStream random(12, Purpose::kSynthetic, 0);
  test::TinyData data{{}, {}, {kTokens}, {}};
  data.x.resize(static_cast<std::size_t>(kRows * kTokens));
  for (std::size_t i = 0; i < data.x.size(); ++i)
    data.x[i] = i % kTokens == 0 ? 0.0f : static_cast<float>(random.below(kVocabulary - 2, i));
  data.x[5 * kTokens + 3] = kVocabulary - 1;
  for (std::int64_t row = 0; row < kRows; ++row)
    data.y.push_back(static_cast<float>(row * row % kClasses));
  return data;
}

std::vector<GradientWay> ways_of_table(const char* layers, int host_ranks) {
  return test::gradient_ways_of(layers, host_ranks, [](const Parameter& parameter) {
    return parameter.name == "embeddings";
  });
}

using SequencesOverRanks = test::OverRanks;
INSTANTIATE_TEST_SUITE_P(Strategies, SequencesOverRanks, test::kStrategies, test::strategy_name);

TEST_P(SequencesOverRanks, GiveOneRanksBitsWithAnEmbeddingByRows) {
  for (const int host_ranks : {1, 2, 3, 4, 8})
    EXPECT_THAT(ways_of_table(kFewTokens, host_ranks), testing::ElementsAre(GradientWay::kRows));
  expect_what_one_rank_computes(kFewTokens, sentences());
}

TEST_P(SequencesOverRanks, GiveOneRanksBitsWithAnEmbeddingByOwners) {
  for (const int host_ranks : {2, 3, 4, 8})
    EXPECT_THAT(ways_of_table(kManyTokens, host_ranks), testing::ElementsAre(GradientWay::kOwner));
  expect_what_one_rank_computes(kManyTokens, sentences());
}

TEST_P(SequencesOverRanks, GiveOneRanksBitsWithAttention) {
  expect_what_one_rank_computes(kAttention, sentences());
}

TEST(TokenIds, AreRefusedBeforeTrainingForAnIdThatIsNone) {
  Network model = model_from_layers_text(kFewTokens);
  model.compile("adam", "sparse_categorical_crossentropy", {});
  test::TinyData data = sentences();
  data.x[(kRows - 2) * kTokens + 4] = kVocabulary;
  data.x[(kRows - 1) * kTokens] = 0.5f;
  test::expect_collective_error(
      test::world(), ExitCode::kBadData,
      {fmt::format("[data] x: expected token ids from 0 to 39 for layer embedding, got 40 at "
                   "position 4 in 2 values, the first one in row {}",
                   kRows - 2)},
      [&] { Trainer(model, test::world(), {}).fit(data.view()); });
}

/// Ids that a layer makes: only a pass sees them, and only the rank that has the row.
TEST(TokenIds, EndTogetherForAnIdThatAPassMeets) {
  if (test::world().size() == 1) GTEST_SKIP() << "needs two ranks";
  Network model = model_from_layers_text(
      "Input((6,)), Rescaling(1), Rescaling(2), Embedding(100, 5), Flatten(), Dense(3, softmax)");
  model.compile("adam", "sparse_categorical_crossentropy", {});
  test::TinyData data = sentences();
  data.x[0] = 50;
  test::expect_collective_error(
      test::world(), ExitCode::kBadData,
      {"[embedding] expected token ids from 0 to 99, got 100 in row", "of the batch, position 0"},
      [&] { Trainer(model, test::world(), {.batch_size = kRows}).fit(data.view()); });
}

}  // namespace
}  // namespace lockstep
