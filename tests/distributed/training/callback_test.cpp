#include <fmt/ranges.h>

#include "distributed/training/monitor.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// What callbacks are told, and may ask for.
namespace lockstep {
namespace {

using test::TinyData;
using test::world;

/// Writes down what every hook is told, but for clocks.
class Notes final : public Callback {
 public:
  void on_train_begin(Trainer&) override { text += "begin\n"; }
  void on_step_end(Trainer&, const StepReport& report) override {
    text +=
        fmt::format("epoch {} step {}/{} rows {} loss {:a} metrics {}\n", report.epoch, report.step,
                    report.steps, report.rows, report.loss, report.so_far->metrics);
  }
  void on_epoch_end(Trainer&, const EpochReport& report) override {
    text += fmt::format("epoch {} loss {:a} metrics {} rate {}\n", report.epoch, report.loss,
                        report.metrics, report.learning_rate);
  }
  void on_train_end(Trainer&) override { text += "end\n"; }

  std::string text;
};

class Callbacks : public testing::Test {
 protected:
  const Communicator communicator_ = world();
  Network model_ = test::classifier(4, 6, 3, "adam", 0.25);
  const TinyData data_ = test::classified_rows(20, 4, 3);
};

TEST_F(Callbacks, TellsCallbacksTheSameOnAllRanks) {
  Trainer trainer(model_, world(), {.epochs = 2, .batch_size = 6});
  const auto notes = std::make_shared<Notes>();
  trainer.add_callback(notes);

  const History history = trainer.fit(data_.view());

  test::expect_same_everywhere(communicator_, notes->text);
  EXPECT_EQ(std::ranges::count(notes->text, '\n'), 1 + 2 * (4 + 1) + 1);
  EXPECT_THAT(notes->text, testing::StartsWith("begin\nepoch 1 step 1/4 rows 6 "));
  EXPECT_THAT(notes->text, testing::EndsWith("end\n"));
  test::expect_same_everywhere(communicator_, history_to_csv(history));  // with rank 0's clocks
}

TEST_F(Callbacks, CountsRunningMeansThatEndAtTheEpochsMean) {
  Trainer trainer(model_, world(), {.epochs = 1, .batch_size = 6});
  struct Last final : Callback {
    void on_step_end(Trainer&, const StepReport& report) override {
      loss = report.loss;
      accuracy = report.so_far->metrics[0].second;
    }
    double loss = 0;
    double accuracy = 0;
  };
  const auto last = std::make_shared<Last>();
  trainer.add_callback(last);

  const History history = trainer.fit(data_.view());

  EXPECT_NEAR(last->loss, history[0].loss, 1e-6);
  EXPECT_NEAR(last->accuracy, history[0].metrics[0].second, 1e-6);
}

/// Asks one rank's trainer to stop and to change the rate at the end of epoch 2.
class Wisher final : public Callback {
 public:
  Wisher(int rank, bool stop) : rank_(rank), stop_(stop) {}
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override {
    if (report.epoch != 2 || trainer.communicator().rank() != rank_) return;
    if (stop_) trainer.stop();
    if (!stop_) trainer.set_learning_rate(0.125);
  }

 private:
  int rank_;
  bool stop_;
};

History history_with_wish(Network& model, const TinyData& data, int rank, bool stop) {
  Trainer trainer(model, world(), {.epochs = 4, .batch_size = 6});
  trainer.add_callback(std::make_shared<Wisher>(rank, stop));
  return trainer.fit(data.view());
}

TEST_F(Callbacks, StopsAfterTheEpochIfAnyRankAsksForIt) {
  for (int rank = 0; rank < communicator_.size(); ++rank)
    EXPECT_EQ(history_with_wish(model_, data_, rank, true).size(), 2u);
}

/// Asks one rank's trainer to stop after a step of epoch 2.
class Stopper final : public Callback {
 public:
  Stopper(int rank, std::int64_t step) : rank_(rank), step_(step) {}
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    steps += 1;
    if (report.epoch == 2 && report.step == step_ && trainer.communicator().rank() == rank_)
      trainer.stop();
  }
  void on_epoch_end(Trainer&, const EpochReport&) override { ++epochs; }

  std::int64_t steps = 0, epochs = 0;

 private:
  int rank_;
  std::int64_t step_;
};

TEST_F(Callbacks, StopsAllRanksAtTheSameStepWhicheverAsks) {
  for (const auto sync :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce})
    for (int rank = 0; rank < communicator_.size(); ++rank)
      for (const std::int64_t step : {1, 4}) {
        Trainer trainer(model_, world(), {.epochs = 4, .batch_size = 6, .sync = sync});
        const auto stopper = std::make_shared<Stopper>(rank, step);
        trainer.add_callback(stopper);
        EXPECT_EQ(trainer.fit(data_.view()).size(), 2u);
        EXPECT_EQ(stopper->epochs, 2);
        EXPECT_EQ(stopper->steps, 4 + std::min<std::int64_t>(step + 1, 4));  // 4 in an epoch
        EXPECT_EQ(model_.optimizer().iterations(), stopper->steps);
      }
}

TEST_F(Callbacks, TakesTheRateThatRankZeroAsksFor) {
  const History history = history_with_wish(model_, data_, 0, false);
  ASSERT_EQ(history.size(), 4u);
  EXPECT_NEAR(history[1].learning_rate, 0.001, 1e-9);
  EXPECT_EQ(history[2].learning_rate, 0.125);
  EXPECT_EQ(history[3].learning_rate, 0.125);
  test::expect_same_everywhere(communicator_, model_.weights_sha256());
}

TEST_F(Callbacks, IgnoresTheRatesOfOtherRanks) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  EXPECT_NEAR(history_with_wish(model_, data_, 1, false)[3].learning_rate, 0.001, 1e-9);
}

TEST_F(Callbacks, KnowsWhichNumbersShouldRise) {
  EXPECT_FALSE(larger_is_better(model_, "loss", Mode::kAuto));
  EXPECT_FALSE(larger_is_better(model_, "val_loss", Mode::kAuto));
  EXPECT_TRUE(larger_is_better(model_, "val_accuracy", Mode::kAuto));
  test::expect_collective_error(communicator_, ExitCode::kUsage, {"val_accuracy", "'val_f1'"},
                                [&] { larger_is_better(model_, "val_f1", Mode::kAuto); });
}

}  // namespace
}  // namespace lockstep
