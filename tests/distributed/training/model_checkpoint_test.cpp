#include "distributed/training/model_checkpoint.hpp"

#include <cmath>
#include <limits>

#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Keras's rules, on scripted histories.
namespace lockstep {
namespace {

using test::world;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class ModelCheckpointRules : public testing::Test {
 protected:
  ModelCheckpointRules() { trainer_.fit(test::classified_rows(5, 2, 2).view()); }

  /// The epochs (from 0) after which the callback saved. Epoch e leaves the weight e behind.
  std::vector<int> saved_epochs(ModelCheckpoint& callback, const std::string& monitor,
                                const std::vector<std::optional<double>>& script) {
    std::vector<int> saved;
    callback.on_train_begin(trainer_);
    for (std::size_t epoch = 0; epoch < script.size(); ++epoch) {
      model_.arena().values()[0] = static_cast<float>(epoch);
      EpochReport report = test::scripted_report(epoch);
      if (monitor == "val_loss") report.validation_loss = script[epoch];
      if (monitor == "accuracy") report.metrics = {{"accuracy", script[epoch].value()}};
      callback.on_epoch_end(trainer_, report);
      // Rank 0's word counts: when the others look, it may be an epoch ahead.
      if (!communicator_.broadcast(std::filesystem::exists(path_))) continue;
      saved.push_back(static_cast<int>(epoch));
      EXPECT_EQ(load_model(path_).model.arena().values()[0], static_cast<float>(epoch));
      communicator_.barrier();
      if (communicator_.is_root()) std::filesystem::remove(path_);
      communicator_.barrier();
    }
    callback.on_train_end(trainer_);
    return saved;
  }
  std::vector<int> saved_epochs(const std::vector<std::optional<double>>& script,
                                const std::string& monitor = "val_loss", Mode mode = Mode::kAuto) {
    ModelCheckpoint callback({.path = path_, .monitor = monitor, .mode = mode});
    return saved_epochs(callback, monitor, script);
  }

  const Communicator communicator_ = world();
  const test::SharedDirectory directory_{communicator_};
  const std::filesystem::path path_ = directory_ / "best.h5";
  Network model_ = test::classifier(2, 2, 2);
  Trainer trainer_{model_, world(), {}};
};

TEST_F(ModelCheckpointRules, SavesWhenTheNumberIsStrictlyBetterThanEverBefore) {
  EXPECT_THAT(saved_epochs({5, 4, 4, 4.5, 3, std::nextafter(3.0, 0.0)}),
              testing::ElementsAre(0, 1, 4, 5));
}

TEST_F(ModelCheckpointRules, LetsTheMetricDecideWhatIsBetterInModeAuto) {
  EXPECT_THAT(saved_epochs({0.1, 0.3, 0.2, 0.4}, "accuracy"), testing::ElementsAre(0, 1, 3));
  EXPECT_THAT(saved_epochs({0.4, 0.3, 0.35}, "accuracy", Mode::kMin), testing::ElementsAre(0, 1));
  test::expect_collective_error(communicator_, ExitCode::kUsage, {"val_auc"},
                                [&] { saved_epochs({}, "val_auc"); });
}

TEST_F(ModelCheckpointRules, SkipsEpochsWithoutTheNumberAndNan) {
  EXPECT_THAT(saved_epochs({{}, 5, {}, kNan, 4}), testing::ElementsAre(1, 4));
}

TEST_F(ModelCheckpointRules, RemembersTheBestForASecondTraining) {
  ModelCheckpoint callback({.path = path_});
  EXPECT_THAT(saved_epochs(callback, "val_loss", {5, 4}), testing::ElementsAre(0, 1));
  EXPECT_THAT(saved_epochs(callback, "val_loss", {4.5, 4, 3}), testing::ElementsAre(2));
}

TEST_F(ModelCheckpointRules, GoesOnFromItsState) {
  ModelCheckpoint first({.path = path_});
  saved_epochs(first, "val_loss", {5, 4});
  ModelCheckpoint second({.path = path_});
  second.restore(first.state());
  EXPECT_THAT(saved_epochs(second, "val_loss", {4.5, 3}), testing::ElementsAre(1));
}

TEST_F(ModelCheckpointRules, FailsOnAllRanksIfTheFileCannotBeWritten) {
  ModelCheckpoint callback({.path = directory_ / "nowhere" / "best.h5"});
  test::expect_collective_error(communicator_, ExitCode::kCannotCreate, {"nowhere"}, [&] {
    callback.on_train_begin(trainer_);
    callback.on_epoch_end(trainer_, test::scripted_report(0, 1.0));
  });
}

TEST(ModelCheckpoint, KeepsTheBestEpochOfARealTraining) {
  const Communicator communicator = world();
  const test::SharedDirectory directory(communicator);
  const test::TinyData data = test::classified_rows(24, 4, 3);
  Network model = test::classifier(4, 6, 3);
  Trainer trainer(model, world(), {.epochs = 3, .batch_size = 6, .validation_split = 0.25});
  trainer.add_callback(
      std::make_shared<ModelCheckpoint>(ModelCheckpoint::Options{.path = directory / "best.h5"}));

  const History history = trainer.fit(data.view());

  double best = std::numeric_limits<double>::infinity();
  for (const EpochReport& report : history) best = std::min(best, report.validation_loss.value());
  LoadedModel loaded = load_model(directory / "best.h5");
  EXPECT_EQ(evaluate(loaded.model, communicator, data.view().slice(18, 24), 6).loss, best);
}

}  // namespace
}  // namespace lockstep
