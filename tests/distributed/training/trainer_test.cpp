#include "distributed/training/trainer.hpp"

#include <cmath>
#include <limits>

#include "src/core/random.hpp"
#include "src/layers/dense.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::alone;
using test::TinyData;
using test::world;

/// Compares the replicas after every step.
class ReplicaWatcher final : public Callback {
 public:
  void on_step_end(Trainer& trainer, const StepReport&) override {
    test::expect_same_everywhere(trainer.communicator(), trainer.model().weights_sha256());
  }
};

TEST(Trainer, KeepsReplicasEqualBitForBit) {
  const TinyData data = test::classified_rows(29, 4, 3);
  Network model = test::classifier(4, 7, 3, "adam", 0.3);
  Trainer trainer(model, world(), {.epochs = 3, .batch_size = 5});
  trainer.add_callback(std::make_shared<ReplicaWatcher>());
  trainer.fit(data.view());
}

TEST(Trainer, GivesTheSameBitsWhenRunTwice) {
  const TinyData data = test::classified_rows(29, 4, 3);
  std::vector<std::string> hashes;
  for (int run = 0; run < 2; ++run) {
    Network model = test::classifier(4, 7, 3, "adam", 0.3);
    Trainer(model, world(), {.epochs = 3, .batch_size = 5, .seed = 11}).fit(data.view());
    hashes.push_back(model.weights_sha256());
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST(Trainer, RunsANetworkWithoutOps) {
  const TinyData data = test::classified_rows(29, 4, 3);
  Network model = model_from_layers_text("Flatten(input_shape=(4,)), Activation(softmax)");
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  EXPECT_EQ(model.training_ops(), 0u);
  const History history = Trainer(model, world(), {.batch_size = 12, .grain = 2}).fit(data.view());
  EXPECT_GT(history[0].loss, 0);
}

TEST(Trainer, RunsANetworkInWhichNothingIsTrained) {
  const TinyData data = test::classified_rows(29, 4, 3);
  Sequential model;
  model.add(std::make_unique<Dense>(50, Activation::kSoftmax));
  model.layers()[0]->set_trainable(false);
  model.build({4});
  model.initialize(1);
  const Workspace workspace = model.training_workspace(2);
  EXPECT_TRUE(workspace.output_gradient({0, 2}).empty());
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  Trainer trainer(model, world(), {.epochs = 2, .batch_size = 12, .shuffle = false, .grain = 2});
  const History history = trainer.fit(data.view());
  EXPECT_GT(history[0].loss, 0);
  EXPECT_EQ(history[0].loss, history[1].loss);
  const Evaluation evaluation = trainer.evaluate(data.view());
  EXPECT_NEAR(history[0].loss, evaluation.loss, 1e-6);
  EXPECT_EQ(history[0].metrics[0].second, evaluation.metrics[0].second);
}

TEST(Trainer, GivesTheSameBitsWithAnyBucketSize) {
  const TinyData data = test::classified_rows(29, 4, 3);
  std::vector<std::string> hashes;
  for (const std::int64_t bucket : {1, 64, 1 << 20}) {
    Network model = test::classifier(4, 7, 3);
    Trainer(model, world(), {.batch_size = 5, .bucket_floats = bucket}).fit(data.view());
    hashes.push_back(model.weights_sha256());
  }
  EXPECT_THAT(hashes, testing::Each(hashes[0]));
}

TEST(Trainer, Learns) {
  const TinyData data = test::classified_rows(400, 4, 3);
  Network model = test::classifier(4, 16, 3);
  const History history =
      Trainer(model, world(), {.epochs = 25, .batch_size = 32, .validation_split = 0.25})
          .fit(data.view());
  EXPECT_LT(history.back().loss, 0.5 * history.front().loss);
  EXPECT_GT(history.back().validation_metrics[0].second, 0.85);
}

/// Trains on these ranks and returns the history.
History history_on(Communicator communicator, const TinyData& data, const std::string& optimizer,
                   double dropout, const TrainOptions& options) {
  Network model = test::classifier(8, 16, 4, optimizer, dropout);
  return Trainer(model, std::move(communicator), options).fit(data.view());
}

void expect_agreement_with_one_rank(const std::string& optimizer, double dropout) {
  const TinyData data = test::classified_rows(600, 8, 4);
  const TrainOptions options{.epochs = 1, .batch_size = 11, .validation_split = 0.1, .seed = 2};
  const History shared = history_on(world(), data, optimizer, dropout, options);
  const History single = history_on(alone(), data, optimizer, dropout, options);
  EXPECT_NEAR(shared[0].loss, single[0].loss, 1e-6 * single[0].loss);
  EXPECT_NEAR(shared[0].validation_loss.value(), single[0].validation_loss.value(), 1e-5);
  EXPECT_NEAR(shared[0].metrics[0].second, single[0].metrics[0].second, 0.01);
}

TEST(Trainer, AgreesWithOneRankAfterAnEpochOf50StepsOfGradientDescent) {
  expect_agreement_with_one_rank("sgd", 0);
}

TEST(Trainer, AgreesWithOneRankAfterAnEpochOf50StepsOfAdam) {
  expect_agreement_with_one_rank("adam", 0);
}

TEST(Trainer, DropsTheSameElementsOnAnyNumberOfRanks) {
  expect_agreement_with_one_rank("sgd", 0.5);
}

/// Ftrl makes 0 / 0 of nothing, as lies between parameters.
TEST(Trainer, SavesWhatIsFiniteWhateverLiesBetweenParameters) {
  Network model = test::linear_network(5, "mean_squared_error", 0.1);
  model.compile({{"class_name", "Ftrl"}, {"config", {{"initial_accumulator_value", 0}}}},
                "mean_squared_error", nlohmann::ordered_json::array());
  const TinyData data = test::unit_rows({1, 2, 3, 4, 5});
  Trainer trainer(model, world(), {.epochs = 2, .batch_size = 5});
  trainer.fit(data.view());
  EXPECT_NO_THROW(trainer.save([](std::span<const std::byte>) {}));
}

TEST(Trainer, DropsOtherElementsUnderAnotherSeed) {
  const TinyData data = test::classified_rows(24, 8, 4);
  std::vector<double> losses;
  for (const std::uint64_t seed : {1u, 2u}) {
    Network model = test::classifier(8, 16, 4, "sgd", 0.5);
    model.initialize(1);
    Trainer trainer(model, world(),
                    {.batch_size = 24, .shuffle = false, .seed = seed, .initialize = false});
    losses.push_back(trainer.fit(data.view())[0].loss);
  }
  EXPECT_NE(losses[0], losses[1]);
}

TEST(Trainer, StepsAlongTheMeanGradientOfTheWholeBatch) {
  constexpr std::size_t kRows = 7;
  constexpr std::size_t kFeatures = 3;
  const RandomStream random(4, Purpose::kSynthetic, 1);
  TinyData data{std::vector<float>(kRows * kFeatures), std::vector<float>(kRows), {kFeatures}, {1}};
  for (std::size_t i = 0; i < data.x.size(); ++i) data.x[i] = static_cast<float>(random.normal(i));
  for (std::size_t i = 0; i < kRows; ++i) data.y[i] = static_cast<float>(random.normal(100 + i));
  Network model = test::linear_network(kFeatures, "mse", 0.1, "ones");

  Trainer(model, world(), {.batch_size = kRows}).fit(data.view());

  const auto weights = model.layers()[0]->parameters()[0].value;
  for (std::size_t k = 0; k < kFeatures; ++k) {
    double gradient = 0;  // of the mean of (x . w - y)^2 at w = 1
    for (std::size_t row = 0; row < kRows; ++row) {
      double error = -static_cast<double>(data.y[row]);
      for (std::size_t j = 0; j < kFeatures; ++j)
        error += static_cast<double>(data.x[row * kFeatures + j]);
      gradient += 2 * error * static_cast<double>(data.x[row * kFeatures + k]) / kRows;
    }
    EXPECT_NEAR(weights[k], 1 - 0.1 * gradient, 1e-6);
  }
}

TEST(Trainer, CountsTheRegularizerOnceInGradientAndLoss) {
  // x is zero: only the penalty 0.1 * sum w^2 has a gradient, 0.2 w.
  const TinyData data{std::vector<float>(8 * 4), std::vector<float>(8, 2.0f), {4}, {1}};
  Network model = test::linear_network(4, "mae", 0.5, "ones", 0.1f);
  const History history =
      Trainer(model, world(), {.batch_size = 4, .validation_split = 0.25}).fit(data.view());

  // Steps of 4 and of 2 rows, from w = 1 over 0.9 to 0.81.
  EXPECT_THAT(model.layers()[0]->parameters()[0].value,
              testing::Each(testing::FloatNear(0.81f, 1e-6f)));
  EXPECT_NEAR(history[0].loss, 2 + 0.4 * (4 * 1.0 + 2 * 0.81) / 6, 1e-6);
  EXPECT_NEAR(history[0].validation_loss.value(), 2 + 0.4 * 0.81 * 0.81, 1e-6);
}

TEST(Trainer, TrainsOnFromTheModelsWeightsOfRankZeroIfAsked) {
  const Communicator communicator = world();
  const TinyData data = test::unit_rows({1, 1});
  Network model = test::linear_network(2, "mae", 0.0);
  for (float& w : model.layers()[0]->parameters()[0].value)
    w = 5.0f + static_cast<float>(communicator.rank());
  const History history = Trainer(model, world(), {.initialize = false}).fit(data.view());
  EXPECT_NEAR(history[0].loss, 4.0, 1e-6);
  EXPECT_THAT(model.layers()[0]->parameters()[0].value, testing::Each(5.0f));
}

TEST(Trainer, StartsAfreshAtASecondFit) {
  const TinyData data = test::classified_rows(20, 4, 3);
  Network model = test::classifier(4, 5, 3);
  Trainer trainer(model, world(), {.epochs = 2, .batch_size = 6});
  trainer.fit(data.view());
  const std::string first = model.weights_sha256();
  const History history = trainer.fit(data.view());
  EXPECT_EQ(model.weights_sha256(), first);
  EXPECT_EQ(history.size(), 2u);
  EXPECT_EQ(trainer.history().size(), 2u);
}

TEST(Trainer, DoesNothingInNoEpochs) {
  const TinyData data = test::classified_rows(5, 4, 3);
  Network model = test::classifier(4, 5, 3);
  EXPECT_TRUE(Trainer(model, world(), {.epochs = 0}).fit(data.view()).empty());
}

TEST(Trainer, EvaluatesAsItValidates) {
  const TinyData data = test::classified_rows(20, 4, 3);
  Network model = test::classifier(4, 5, 3);
  Trainer trainer(model, world(), {.epochs = 1, .batch_size = 6});
  const History history = trainer.fit(data.view(), data.view());
  const Evaluation evaluation = trainer.evaluate(data.view());
  EXPECT_EQ(evaluation.loss, history[0].validation_loss.value());
  EXPECT_EQ(evaluation.metrics, history[0].validation_metrics);
}

TEST(Trainer, ReportsTheRateOfTheEpochsLastStep) {
  const TinyData data = test::classified_rows(20, 4, 3);
  Network model = test::classifier(4, 5, 3);
  const History history = Trainer(model, world(), {.epochs = 2}).fit(data.view());
  EXPECT_NEAR(history[1].learning_rate, 0.001, 1e-9);
  EXPECT_EQ(history[0].epoch, 1);
  EXPECT_EQ(history[1].epoch, 2);
  EXPECT_GT(history[1].samples_per_second, 0);
}

TEST(Trainer, WorksOnPartOfTheRanks) {
  const Communicator communicator = world();
  const TinyData data = test::classified_rows(20, 4, 3);
  Network model = test::classifier(4, 5, 3);
  const Communicator part = communicator.split(communicator.rank() % 2);
  Trainer trainer(model, Communicator(part.get()), {.batch_size = 7});
  trainer.fit(data.view());
  test::expect_same_everywhere(part, model.weights_sha256());
}

}  // namespace
}  // namespace lockstep
