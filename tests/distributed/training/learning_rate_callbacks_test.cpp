#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "distributed/training/learning_rate_scheduler.hpp"
#include "distributed/training/reduce_lr_on_plateau.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::world;
using testing::ElementsAre;
using testing::HasSubstr;

/// What training stood at behind an epoch.
class Snapshot final : public Callback {
 public:
  explicit Snapshot(std::int64_t epoch) : epoch_(epoch) {}
  bool reads_weights_in_steps() const override { return false; }
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override {
    if (report.epoch != epoch_) return;
    state = trainer.state();
    const auto values = trainer.model().arena().values();
    weights.assign(values.begin(), values.end());
  }
  std::optional<TrainingState> state;
  std::vector<float> weights;

 private:
  std::int64_t epoch_;
};

class LearningRateCallbacks : public testing::Test {
 protected:
  using Make = std::function<std::shared_ptr<Callback>()>;

  std::vector<float> rates_of(const History& history) const {
    std::vector<float> rates;
    for (const EpochReport& report : history)
      rates.push_back(static_cast<float>(report.learning_rate));
    return rates;
  }

  /// The rate of each epoch; checks that a training that is resumed behind any epoch has the same.
  std::vector<float> run(const Make& make, std::int64_t epochs) {
    const TrainOptions options{.epochs = epochs, .batch_size = 8, .seed = 3};
    std::vector<float> rates;
    for (std::int64_t cut = 1; cut < epochs; ++cut) {
      Network model = test::classifier(4, 3, 2, "sgd");
      Trainer trainer(model, world(), options);
      const auto snapshot = std::make_shared<Snapshot>(cut);
      trainer.add_callback(make());
      trainer.add_callback(snapshot);
      rates = rates_of(trainer.fit(data_.view()));
      const std::vector<float> end(model.arena().values().begin(), model.arena().values().end());

      Network again = test::classifier(4, 3, 2, "sgd");
      std::ranges::copy(snapshot->weights, again.arena().values().begin());
      TrainOptions going_on = options;
      going_on.initialize = false;
      Trainer resumed(again, world(), going_on);
      resumed.add_callback(make());
      snapshot->state->identity = {};
      resumed.restore(*snapshot->state);
      EXPECT_EQ(rates_of(resumed.fit(data_.view())), rates) << "resumed behind epoch " << cut;
      EXPECT_TRUE(std::ranges::equal(again.arena().values(), end)) << cut;
    }
    return rates;
  }

  test::TinyData data_ = test::classified_rows(24, 4, 2);
};

// As real Keras 3.15 with the same options, where nothing improves behind the first epoch.
TEST_F(LearningRateCallbacks, APlateauReducesTheRateAsInKeras) {
  const auto plateau = [](std::int64_t patience, std::int64_t cooldown, double min_lr) {
    return [=] {
      return std::make_shared<ReduceLROnPlateau>(ReduceLROnPlateau::Options{.monitor = "loss",
                                                                            .factor = 0.5,
                                                                            .patience = patience,
                                                                            .min_delta = 1e9,
                                                                            .cooldown = cooldown,
                                                                            .min_lr = min_lr});
    };
  };
  EXPECT_THAT(run(plateau(2, 0, 0), 8),
              ElementsAre(0.01f, 0.01f, 0.01f, 0.005f, 0.005f, 0.0025f, 0.0025f, 0.00125f));
  EXPECT_THAT(run(plateau(1, 2, 0), 8),
              ElementsAre(0.01f, 0.01f, 0.005f, 0.005f, 0.0025f, 0.0025f, 0.00125f, 0.00125f));
  EXPECT_THAT(run(plateau(0, 0, 0.004), 5), ElementsAre(0.01f, 0.01f, 0.005f, 0.004f, 0.004f));
}

TEST_F(LearningRateCallbacks, WhereTheNumberImprovesNothingIsReduced) {
  const auto best = [] {
    return std::make_shared<ReduceLROnPlateau>(
        ReduceLROnPlateau::Options{.monitor = "loss", .patience = 1, .min_delta = 0});
  };
  EXPECT_THAT(run(best, 4), ElementsAre(0.01f, 0.01f, 0.01f, 0.01f));
}

TEST_F(LearningRateCallbacks, AFunctionSetsTheRateOfEachEpochFromTheOneBefore) {
  const auto halves = [] {
    return std::make_shared<LearningRateScheduler>(
        [](std::int64_t epoch, double rate) { return epoch < 2 ? 0.5 : rate / 2; });
  };
  EXPECT_THAT(run(halves, 5), ElementsAre(0.5f, 0.5f, 0.25f, 0.125f, 0.0625f));
}

TEST_F(LearningRateCallbacks, AFunctionNeedNotKnowEpochsThatAreNotTrained) {
  const auto ends = [] {
    return std::make_shared<LearningRateScheduler>([](std::int64_t epoch, double) {
      return 0.5 / static_cast<double>(std::min<std::int64_t>(2 - epoch, 1));
    });
  };
  EXPECT_THAT(run(ends, 2), ElementsAre(0.5f, 0.5f));
}

TEST_F(LearningRateCallbacks, MoreEpochsThanOncePlannedHaveTheirRates) {
  const auto doubles = [] {
    return std::make_shared<LearningRateScheduler>(
        [](std::int64_t epoch, double rate) { return epoch == 0 ? 0.125 : 2 * rate; });
  };
  Network model = test::classifier(4, 3, 2, "sgd");
  Trainer first(model, world(), {.epochs = 2, .batch_size = 8});
  const auto snapshot = std::make_shared<Snapshot>(2);
  first.add_callback(doubles());
  first.add_callback(snapshot);
  first.fit(data_.view());
  Trainer more(model, world(), {.epochs = 4, .batch_size = 8, .initialize = false});
  more.add_callback(doubles());
  snapshot->state->identity = {};
  more.restore(*snapshot->state);
  EXPECT_THAT(rates_of(more.fit(data_.view())), ElementsAre(0.125f, 0.25f, 0.5f, 1));
}

TEST_F(LearningRateCallbacks, AreRefusedWhereTheRateCannotBeSetOrIsNone) {
  const auto refused = [&](std::shared_ptr<Callback> callback, const std::string& optimizer,
                           const char* message) {
    Network model = test::classifier(4, 3, 2, optimizer);
    Trainer trainer(model, world(), {.epochs = 2, .batch_size = 8});
    trainer.add_callback(std::move(callback));
    try {
      trainer.fit(data_.view());
      ADD_FAILURE() << "expected an error: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  };
  refused(std::make_shared<LearningRateScheduler>([](std::int64_t, double) { return -1.0; }), "sgd",
          "expected");
  refused(std::make_shared<ReduceLROnPlateau>(ReduceLROnPlateau::Options{.monitor = "val_auc"}),
          "sgd", "expected to monitor one of loss");
}

}  // namespace
}  // namespace lockstep
