#include <fmt/ranges.h>

#include "distributed/training/early_stopping.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Callbacks of the trainer, and training that stops and goes on.
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

class TrainerState : public testing::Test {
 protected:
  const Communicator communicator_ = world();
  Sequential model_ = test::classifier(4, 6, 3, "adam", 0.25);
  const TinyData data_ = test::classified_rows(20, 4, 3);
};

TEST_F(TrainerState, TellsCallbacksTheSameOnAllRanks) {
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

TEST_F(TrainerState, CountsRunningMeansThatEndAtTheEpochsMean) {
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

History history_with_wish(Sequential& model, const TinyData& data, int rank, bool stop) {
  Trainer trainer(model, world(), {.epochs = 4, .batch_size = 6});
  trainer.add_callback(std::make_shared<Wisher>(rank, stop));
  return trainer.fit(data.view());
}

TEST_F(TrainerState, FollowsTheWishesOfRankZeroOnAllRanks) {
  EXPECT_EQ(history_with_wish(model_, data_, 0, true).size(), 2u);

  const History history = history_with_wish(model_, data_, 0, false);
  ASSERT_EQ(history.size(), 4u);
  EXPECT_NEAR(history[1].learning_rate, 0.001, 1e-9);
  EXPECT_EQ(history[2].learning_rate, 0.125);
  EXPECT_EQ(history[3].learning_rate, 0.125);
  test::expect_same_everywhere(communicator_, model_.weights_sha256());
}

TEST_F(TrainerState, IgnoresTheWishesOfOtherRanks) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  EXPECT_EQ(history_with_wish(model_, data_, 1, true).size(), 4u);
  EXPECT_NEAR(history_with_wish(model_, data_, 1, false)[3].learning_rate, 0.001, 1e-9);
}

TEST_F(TrainerState, KnowsWhichNumbersShouldRise) {
  EXPECT_FALSE(larger_is_better(model_, "loss", Mode::kAuto));
  EXPECT_FALSE(larger_is_better(model_, "val_loss", Mode::kAuto));
  EXPECT_TRUE(larger_is_better(model_, "val_accuracy", Mode::kAuto));
  test::expect_collective_error(communicator_, ExitCode::kUsage, {"val_accuracy", "'val_f1'"},
                                [&] { larger_is_better(model_, "val_f1", Mode::kAuto); });
}

/// The history without clocks, with every bit.
std::string without_clocks(History history) {
  for (EpochReport& report : history)
    report.train_seconds = report.validation_seconds = report.samples_per_second = 0;
  return history_to_csv(history);
}

class Resume : public TrainerState {
 protected:
  /// Trains to this epoch and returns the trainer's history without clocks.
  std::string train(Sequential& model, std::int64_t epochs, TrainingState* state,
                    const std::filesystem::path& save_to, std::int64_t steps = 0) {
    Trainer trainer(model, world(),
                    {.epochs = epochs,
                     .batch_size = 6,
                     .validation_split = 0.2,
                     .steps_per_epoch = steps,
                     .seed = 7});
    trainer.add_callback(std::make_shared<EarlyStopping>(
        EarlyStopping::Options{.patience = 100, .restore_best_weights = false}));
    if (state) trainer.restore(*state);
    const History history = trainer.fit(data_.view());
    if (!save_to.empty()) trainer.save(save_to);
    return without_clocks(history);
  }

  void expect_resumed_run_to_be_equal(std::int64_t steps) {
    const test::SharedDirectory directory(communicator_);
    Sequential whole = test::classifier(4, 6, 3, "adam", 0.25);
    const std::string history = train(whole, 5, nullptr, {}, steps);

    train(model_, 2, nullptr, directory / "checkpoint.h5", steps);
    LoadedModel loaded = load_model(directory / "checkpoint.h5");
    ASSERT_TRUE(loaded.slots);
    TrainingState state = training_state_from_json(loaded.training_state);
    state.iterations = loaded.iterations;
    state.slots = *loaded.slots;
    const std::string resumed_history = train(loaded.model, 5, &state, {}, steps);

    EXPECT_EQ(loaded.model.weights_sha256(), whole.weights_sha256());
    EXPECT_EQ(loaded.model.optimizer().iterations(), whole.optimizer().iterations());
    EXPECT_EQ(resumed_history, history);
  }
};

TEST_F(Resume, FromAFileEqualsNeverStopping) {
  expect_resumed_run_to_be_equal(0);
}

TEST_F(Resume, FromTheMiddleOfAPassEqualsNeverStopping) {
  expect_resumed_run_to_be_equal(2);
}

TEST_F(Resume, FromMemoryEqualsNeverStopping) {
  const auto notes = [&](Sequential& model, std::int64_t epochs, const TrainingState* state) {
    Trainer trainer(model, world(), {.epochs = epochs, .batch_size = 6});
    if (state) trainer.restore(*state);
    trainer.fit(data_.view());
    return trainer.state();
  };
  Sequential whole = test::classifier(4, 6, 3, "adam", 0.25);
  notes(whole, 4, nullptr);
  const TrainingState middle = notes(model_, 1, nullptr);
  const TrainingState end = notes(model_, 4, &middle);
  EXPECT_EQ(end.epoch, 4);
  EXPECT_EQ(model_.weights_sha256(), whole.weights_sha256());
}

TEST_F(Resume, GoesOnWithCallbacksWhereTheyStood) {
  struct Counter final : Callback {
    void on_epoch_end(Trainer&, const EpochReport&) override { ++count; }
    std::string name() const override { return "counter"; }
    std::string state() const override { return std::to_string(count); }
    void restore(const std::string& state) override { count = std::stoi(state); }
    int count = 0;
  };
  TrainingState state;
  for (const std::int64_t epochs : {2, 5}) {
    Trainer trainer(model_, world(), {.epochs = epochs});
    const auto counter = std::make_shared<Counter>();
    trainer.add_callback(counter);
    if (epochs == 5) trainer.restore(state);
    trainer.fit(data_.view());
    state = trainer.state();
    EXPECT_EQ(counter->count, epochs);
  }
}

TEST_F(Resume, HasNothingToDoAfterACallbackEndedTraining) {
  TrainingState state;
  state.epoch = 1;
  state.stopped = true;
  Trainer first(model_, world(), {.epochs = 1});
  first.fit(data_.view());
  state.slots = first.state().slots;
  Trainer trainer(model_, world(), {.epochs = 5});
  trainer.restore(state);
  trainer.fit(data_.view());
  EXPECT_EQ(trainer.state().epoch, 1);
}

TEST_F(Resume, FailsOnAllRanksIfTheFileCannotBeWritten) {
  const test::SharedDirectory directory(communicator_);
  Trainer trainer(model_, world(), {});
  trainer.fit(data_.view());
  test::expect_collective_error(communicator_, ExitCode::kCannotCreate, {"nowhere"},
                                [&] { trainer.save(directory / "nowhere" / "model.h5"); });
}

}  // namespace
}  // namespace lockstep
