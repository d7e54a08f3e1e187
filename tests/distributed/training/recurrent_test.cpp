#include "src/layers/recurrent.hpp"

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

namespace lockstep {
namespace {

using Strategy = DistributedOptimizer::Strategy;
constexpr std::int64_t kBatch = 24;
constexpr std::int64_t kRows = 2 * kBatch + 13;  // a last batch of 13

/// Gradients by rows, whatever the host.
constexpr const char* kLong =
    "Input((9, 4)), LSTM(5, return_sequences=True, recurrent_dropout=0.3), "
    "GRU(6, return_sequences=True, go_backwards=True, dropout=0.2), "
    "GRU(4, return_sequences=True, reset_after=False), "
    "Bidirectional(SimpleRNN(7, dropout=0.1)), Dense(3, softmax)";
/// More parameters than what is kept: gradients by owners.
constexpr const char* kWide =
    "Input((1, 80)), LSTM(64, return_sequences=True), GRU(64, return_sequences=True), "
    "GRU(64, reset_after=False), Dense(3, softmax)";

struct Trained {
  std::string weights;
  std::vector<double> losses;  ///< of training and validation
};

Trained train(const char* layers, Communicator communicator, const TrainOptions& options) {
  Network model = model_from_layers_text(layers);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  const Shape shape = model.graph().shape(model.graph().input());
  test::TinyData data = test::classified_rows(kRows, element_count(shape), 3);
  data.x_shape = shape;
  Trainer trainer(model, std::move(communicator), options);
  Trained trained;
  for (const EpochReport& epoch : trainer.fit(data.view()))
    trained.losses.insert(trained.losses.end(), {epoch.loss, epoch.validation_loss.value()});
  trained.weights = model.weights_sha256();
  return trained;
}

std::vector<GradientWay> recurrent_ways(const char* layers, int host_ranks) {
  const Network model = model_from_layers_text(layers);
  std::vector<GradientWay> ways;
  const auto wanted = choose_gradient_ways(model.graph(), host_ranks, kBatch);
  for (const TrainedParameter& trained : plan_gradients(model.graph(), wanted).parameters)
    if (trained.parameter->name == "recurrent_kernel") ways.push_back(trained.way);
  return ways;
}

class RecurrentOverRanks : public testing::TestWithParam<Strategy> {
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
      const Trained alone = train(layers, test::alone(), options);
      options.block_grains = block_grains;
      const Trained together = train(layers, test::world(), options);
      EXPECT_EQ(together.weights, alone.weights);
      EXPECT_EQ(together.losses, alone.losses);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Strategies, RecurrentOverRanks,
                         testing::Values(Strategy::kAllreduce, Strategy::kSharded),
                         [](const auto& strategy) {
                           return strategy.param == Strategy::kSharded ? "Sharded" : "Allreduce";
                         });

TEST_P(RecurrentOverRanks, GivesOneRanksBitsWithGradientsByRows) {
  for (const int host_ranks : {1, 2, 3, 4, 8, 64})
    EXPECT_THAT(recurrent_ways(kLong, host_ranks), testing::Each(GradientWay::kRows));
  expect_what_one_rank_computes(kLong);
}

TEST_P(RecurrentOverRanks, GivesOneRanksBitsWithGradientsByOwners) {
  for (const int host_ranks : {2, 3, 4, 8, 64})
    EXPECT_THAT(recurrent_ways(kWide, host_ranks), testing::Each(GradientWay::kOwner));
  expect_what_one_rank_computes(kWide);
}

}  // namespace
}  // namespace lockstep
