#include "distributed/training/early_stopping.hpp"

#include <limits>

#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Keras's rules, on scripted histories. Epochs count from 0, as in Keras.
namespace lockstep {
namespace {

using test::world;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// What a scripted training did; -1: it was not stopped.
struct Result {
  std::int64_t stopped = -1;
  std::int64_t best = -1;
  float weight = -1;  ///< after the end; epoch e leaves the weight e behind
};

class EarlyStoppingRules : public testing::Test {
 protected:
  /// Feeds one number an epoch; nullopt: an epoch without validation.
  Result run(EarlyStopping& callback, const std::string& monitor,
             const std::vector<std::optional<double>>& script) {
    float& weight = model_.arena().values()[0];
    Result result;
    callback.on_train_begin(trainer_);
    for (std::size_t epoch = 0; epoch < script.size() && result.stopped < 0; ++epoch) {
      weight = static_cast<float>(epoch);
      EpochReport report = test::scripted_report(epoch);
      if (monitor == "loss") report.loss = script[epoch].value();
      if (monitor == "val_loss") report.validation_loss = script[epoch];
      if (monitor == "accuracy") report.metrics = {{"accuracy", script[epoch].value()}};
      if (monitor == "val_accuracy")
        report.validation_metrics = {{"accuracy", script[epoch].value()}};
      callback.on_epoch_end(trainer_, report);
      if (callback.stopped_epoch() > 0) result.stopped = callback.stopped_epoch();
    }
    callback.on_train_end(trainer_);
    result.best = callback.best_epoch();
    result.weight = weight;
    return result;
  }
  Result run(const EarlyStopping::Options& options,
             const std::vector<std::optional<double>>& script) {
    EarlyStopping callback(options);
    return run(callback, options.monitor, script);
  }

  Network model_ = test::classifier(2, 2, 2);
  Trainer trainer_{model_, world(), {}};
};

TEST_F(EarlyStoppingRules, StopsAfterPatienceEpochsWithoutImprovement) {
  EXPECT_EQ(run({.patience = 2}, {5, 4, 4.1, 4.2, 4.3}).stopped, 3);
  EXPECT_EQ(run({.patience = 2}, {5, 4, 4.1, 3.9, 4.2, 4.3}).stopped, 5);
  EXPECT_EQ(run({.patience = 2}, {5, 4, 3, 2, 1}).stopped, -1);
  EXPECT_EQ(run({.patience = 2}, {5, 4, 4.1, 3.9}).best, 3);
}

TEST_F(EarlyStoppingRules, TakesPatienceZeroForOne) {
  for (const std::int64_t patience : {0, 1}) {
    EXPECT_EQ(run({.patience = patience}, {5, 4, 4.5, 3}).stopped, 2);
    EXPECT_EQ(run({.patience = patience}, {5, 5, 5}).stopped, 1);
  }
}

TEST_F(EarlyStoppingRules, NeverStopsAtTheFirstEpoch) {
  EXPECT_EQ(run({.patience = 0}, {kNan}).stopped, -1);
  EXPECT_EQ(run({.patience = 0}, {kNan, kNan}).stopped, 1);
}

TEST_F(EarlyStoppingRules, TakesOnlyStrictImprovementForOne) {
  EXPECT_EQ(run({.patience = 1}, {4, 4}).stopped, 1);
  EXPECT_EQ(run({.patience = 1}, {4, std::nextafter(4.0, 0.0)}).stopped, -1);
}

TEST_F(EarlyStoppingRules, AsksForMoreThanMinDelta) {
  EXPECT_EQ(run({.min_delta = 0.5, .patience = 1}, {4, 3.5}).stopped, 1);
  EXPECT_EQ(run({.min_delta = 0.5, .patience = 1}, {4, 3.25}).stopped, -1);
  EXPECT_EQ(run({.min_delta = -0.5, .patience = 1}, {4, 3.5}).stopped, 1);  // its absolute value
  EXPECT_EQ(run({.monitor = "accuracy", .min_delta = 0.25, .patience = 1}, {0.5, 0.75}).stopped, 1);
  EXPECT_EQ(run({.monitor = "accuracy", .min_delta = 0.25, .patience = 1}, {0.5, 0.8}).stopped, -1);
}

TEST_F(EarlyStoppingRules, LetsTheMetricDecideWhatIsBetterInModeAuto) {
  EXPECT_EQ(run({.monitor = "val_accuracy", .patience = 1}, {0.1, 0.2, 0.3}).stopped, -1);
  EXPECT_EQ(run({.monitor = "val_accuracy", .patience = 1}, {0.3, 0.2}).stopped, 1);
  EXPECT_EQ(run({.monitor = "loss", .patience = 1}, {0.3, 0.2, 0.1}).stopped, -1);
  test::expect_collective_error(trainer_.communicator(), ExitCode::kUsage, {"val_auc"},
                                [&] { run({.monitor = "val_auc"}, {}); });
}

TEST_F(EarlyStoppingRules, ObeysAModeThatIsGiven) {
  EXPECT_EQ(run({.monitor = "loss", .patience = 1, .mode = Mode::kMax}, {1, 2, 3}).stopped, -1);
  EXPECT_EQ(run({.monitor = "accuracy", .patience = 1, .mode = Mode::kMin}, {1, 2}).stopped, 1);
}

TEST_F(EarlyStoppingRules, StopsUnlessTheBaselineIsReached) {
  // Improvement alone does not reset the wait.
  EXPECT_EQ(run({.patience = 3, .baseline = 1.0}, {5, 4, 3, 2.5, 2}).stopped, -1);
  EXPECT_EQ(run({.patience = 3, .baseline = 1.0}, {5, 4, 3, 3.5}).stopped, 3);
  EXPECT_EQ(run({.patience = 3, .baseline = 3.5}, {5, 4, 3, 3.5, 3.5}).stopped, -1);
  EXPECT_EQ(run({.patience = 3, .baseline = 3.5}, {5, 4, 3, 3.5, 3.5, 3.5}).stopped, 5);
}

TEST_F(EarlyStoppingRules, LooksAwayBeforeTheEpochToStartFrom) {
  EXPECT_EQ(run({.patience = 1, .start_from_epoch = 3}, {1, 2, 3, 4, 5}).stopped, 4);
  EXPECT_EQ(run({.patience = 1, .start_from_epoch = 3}, {1, 2, 3, 4, 5}).best, 3);
}

TEST_F(EarlyStoppingRules, SkipsEpochsWithoutTheNumber) {
  EXPECT_EQ(run({.patience = 2}, {5, {}, 6, {}, 6}).stopped, 4);
  EXPECT_EQ(run({.patience = 1}, {{}, {}, {}}).stopped, -1);
}

TEST_F(EarlyStoppingRules, NeverTakesNanForAnImprovement) {
  EXPECT_EQ(run({.patience = 2}, {5, kNan, kNan}).stopped, 2);
  EXPECT_EQ(run({.patience = 2}, {kNan, 5, 4}).best, 2);
}

TEST_F(EarlyStoppingRules, RestoresTheBestWeights) {
  const Result stopped = run({.patience = 2, .restore_best_weights = true}, {5, 4, 4.5, 4.6, 1});
  EXPECT_EQ(stopped.stopped, 3);
  EXPECT_EQ(stopped.best, 1);
  EXPECT_EQ(stopped.weight, 1.0f);
  EXPECT_EQ(run({.patience = 2, .restore_best_weights = false}, {5, 4, 4.5, 4.6}).weight, 3.0f);
}

TEST_F(EarlyStoppingRules, RestoresThemAlsoWhenTheEpochsRanOut) {
  const Result result = run({.patience = 9, .restore_best_weights = true}, {5, 3, 4, 4});
  EXPECT_EQ(result.stopped, -1);
  EXPECT_EQ(result.weight, 1.0f);
}

TEST_F(EarlyStoppingRules, RestoresTheFirstWeightsIfNothingEverImproved) {
  const Result result = run({.patience = 2, .restore_best_weights = true}, {kNan, kNan, kNan});
  EXPECT_EQ(result.stopped, 1);
  EXPECT_EQ(result.weight, 0.0f);
}

TEST_F(EarlyStoppingRules, StartsAfreshAtTheNextTraining) {
  EarlyStopping callback({.patience = 2});
  EXPECT_EQ(run(callback, "val_loss", {1, 2, 3}).stopped, 2);
  EXPECT_EQ(run(callback, "val_loss", {9, 10, 8, 9, 9}).stopped, 4);
}

TEST_F(EarlyStoppingRules, GoesOnFromItsStateAsIfItHadNotStopped) {
  const EarlyStopping::Options options{.patience = 3, .restore_best_weights = true};
  for (std::size_t cut = 0; cut <= 4; ++cut) {
    const std::vector<double> script = {5, 4, 4.5, 4.6, 4.7};
    EarlyStopping first(options);
    EarlyStopping second(options);
    EarlyStopping* callback = &first;
    first.on_train_begin(trainer_);
    for (std::size_t epoch = 0; epoch < script.size(); ++epoch) {
      if (epoch == cut) {
        second.restore(first.state());
        second.on_train_begin(trainer_);
        callback = &second;
      }
      model_.arena().values()[0] = static_cast<float>(epoch);
      callback->on_epoch_end(trainer_, test::scripted_report(epoch, script[epoch]));
    }
    callback->on_train_end(trainer_);
    EXPECT_EQ(callback->stopped_epoch(), 4) << "cut before epoch " << cut;
    EXPECT_EQ(callback->best_epoch(), 1);
    EXPECT_EQ(model_.arena().values()[0], 1.0f);
  }
}

TEST(EarlyStopping, StopsARealTrainingOnAllRanksAtTheSameEpoch) {
  // The rate is 0: nothing ever improves after the first epoch.
  const Communicator communicator = world();
  const test::TinyData data = test::unit_rows({1, 2, 3, 4, 5});
  Network model = test::linear_network(5, "mse", 0.0);
  Trainer trainer(model, world(), {.epochs = 20, .batch_size = 2, .shuffle = false});
  const auto callback = std::make_shared<EarlyStopping>(
      EarlyStopping::Options{.monitor = "loss", .patience = 3, .restore_best_weights = true});
  trainer.add_callback(callback);

  const History history = trainer.fit(data.view());

  EXPECT_EQ(history.size(), 4u);
  EXPECT_EQ(callback->stopped_epoch(), 3);
  test::expect_same_everywhere(communicator, std::to_string(callback->stopped_epoch()));
}

TEST(EarlyStopping, DoesNotSeeAValidationLossThatIsNotFinite) {
  test::TinyData data = test::unit_rows({1, 2, 3});
  std::fill(data.x.end() - 3, data.x.end(), 3e38f);
  Network model = test::linear_network(3, "mse", 0.0, "ones");
  Trainer trainer(model, world(), {.epochs = 9, .validation_split = 0.3});
  trainer.add_callback(std::make_shared<EarlyStopping>(EarlyStopping::Options{.patience = 0}));

  test::expect_collective_error(world(), ExitCode::kNumerical, {"epoch 1", "val_loss", "inf"},
                                [&] { trainer.fit(data.view()); });
  EXPECT_TRUE(trainer.history().empty());
}

}  // namespace
}  // namespace lockstep
