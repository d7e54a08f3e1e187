#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "distributed/training/trainer.hpp"
#include "distributed/update/gradient_ways.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Networks that begin with token ids, over ranks.
namespace lockstep {
namespace {

using Strategy = DistributedOptimizer::Strategy;
constexpr std::int64_t kClasses = 3;
constexpr std::int64_t kTokens = 6;
constexpr std::int64_t kBatch = 24;
constexpr std::int64_t kRows = 2 * kBatch + 13;  // a last batch of 13

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

struct Trained {
  std::string weights;
  std::vector<double> losses;  ///< of training and validation
};

Trained train(const char* layers, Communicator communicator, const TrainOptions& options) {
  Network model = model_from_layers_text(layers);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  const test::TinyData data = sentences();
  Trainer trainer(model, std::move(communicator), options);
  Trained trained;
  for (const EpochReport& epoch : trainer.fit(data.view()))
    trained.losses.insert(trained.losses.end(), {epoch.loss, epoch.validation_loss.value()});
  trained.weights = model.weights_sha256();
  return trained;
}

/// What one rank alone makes of it; computed once.
const Trained& trained_alone(const char* layers, const TrainOptions& options) {
  static std::map<std::pair<std::string, std::int64_t>, Trained> all;
  const auto [found, is_new] = all.try_emplace({layers, options.grain});
  if (is_new) found->second = train(layers, test::alone(), options);
  return found->second;
}

GradientWay way_of_table(const char* layers, int host_ranks) {
  const Network model = model_from_layers_text(layers);
  const auto wanted = choose_gradient_ways(model.graph(), host_ranks, kBatch);
  return plan_gradients(model.graph(), wanted).parameters.front().way;
}

class SequencesOverRanks : public testing::TestWithParam<Strategy> {
 protected:
  /// Grains of which every rank has some, and so large that ranks have no rows; blocks of one, of
  /// two, and none.
  void expect_what_one_rank_computes(const char* layers) {
    struct Size {
      std::int64_t grain;
      std::optional<std::int64_t> block_grains;
    };
    for (const auto& [grain, block_grains] :
         {Size{1, 2}, Size{4, 1}, Size{16, 0}, Size{kBatch, {}}}) {
      SCOPED_TRACE("grain " + std::to_string(grain));
      TrainOptions options{.epochs = 2,
                           .batch_size = kBatch,
                           .validation_split = 0.2,
                           .seed = 3,
                           .grain = grain,
                           .sync = GetParam(),
                           .bucket_floats = 500};
      const Trained& alone = trained_alone(layers, options);
      options.block_grains = block_grains;
      const Trained together = train(layers, test::world(), options);
      EXPECT_EQ(together.weights, alone.weights);
      EXPECT_EQ(together.losses, alone.losses);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Strategies, SequencesOverRanks,
                         testing::Values(Strategy::kAllreduce, Strategy::kSharded),
                         [](const auto& strategy) {
                           return strategy.param == Strategy::kSharded ? "Sharded" : "Allreduce";
                         });

TEST_P(SequencesOverRanks, GiveOneRanksBitsWithAnEmbeddingByRows) {
  for (const int host_ranks : {1, 2, 3, 4, 8})
    EXPECT_EQ(way_of_table(kFewTokens, host_ranks), GradientWay::kRows);
  expect_what_one_rank_computes(kFewTokens);
}

TEST_P(SequencesOverRanks, GiveOneRanksBitsWithAnEmbeddingByOwners) {
  for (const int host_ranks : {2, 3, 4, 8})
    EXPECT_EQ(way_of_table(kManyTokens, host_ranks), GradientWay::kOwner);
  expect_what_one_rank_computes(kManyTokens);
}

TEST_P(SequencesOverRanks, GiveOneRanksBitsWithAttention) {
  expect_what_one_rank_computes(kAttention);
}

TEST(SequencesOverRanks, AreRefusedBeforeTrainingForAnIdThatIsNone) {
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
TEST(SequencesOverRanks, EndTogetherForAnIdThatAPassMeets) {
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
