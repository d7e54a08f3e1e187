#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "distributed/training/early_stopping.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Training that is saved, and goes on.
namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using test::TinyData;
using test::world;

class SavedTraining : public testing::Test {
 protected:
  const Communicator communicator_ = world();
  Network model_ = test::classifier(4, 6, 3, "adam", 0.25);
  const TinyData data_ = test::classified_rows(20, 4, 3);
};

/// The history without clocks, with every bit.
std::string without_clocks(History history) {
  for (EpochReport& report : history)
    report.train_seconds = report.validation_seconds = report.samples_per_second = 0;
  return history_to_csv(history);
}

class Resume : public SavedTraining {
 protected:
  /// Trains to this epoch and returns the trainer's history without clocks.
  std::string train(Network& model, std::int64_t epochs, TrainingState* state,
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
    Network whole = test::classifier(4, 6, 3, "adam", 0.25);
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
  const auto notes = [&](Network& model, std::int64_t epochs, const TrainingState* state) {
    Trainer trainer(model, world(), {.epochs = epochs, .batch_size = 6});
    if (state) trainer.restore(*state);
    trainer.fit(data_.view());
    return trainer.state();
  };
  Network whole = test::classifier(4, 6, 3, "adam", 0.25);
  notes(whole, 4, nullptr);
  const TrainingState middle = notes(model_, 1, nullptr);
  const TrainingState end = notes(model_, 4, &middle);
  EXPECT_EQ(end.epoch, 4);
  EXPECT_EQ(model_.weights_sha256(), whole.weights_sha256());
}

/// Takes state and weights after a step of epoch 2; rank 0 may ask for another rate, and the last
/// rank to stop, at such steps, too.
class StateTaker final : public Callback {
 public:
  struct Steps {
    std::int64_t take = 0, rate = 0, stop = 0;
  };
  explicit StateTaker(Steps steps) : steps_(steps) {}
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    if (report.epoch != 2) return;
    const Communicator& world = trainer.communicator();
    if (report.step == steps_.rate && world.is_root()) trainer.set_learning_rate(0.0625);
    if (report.step == steps_.stop && world.rank() == world.size() - 1) trainer.stop();
    if (report.step != steps_.take) return;
    state = trainer.state();
    const auto values = trainer.model().arena().values();
    weights.assign(values.begin(), values.end());
  }
  TrainingState state;
  std::vector<float> weights;

 private:
  Steps steps_;
};

TEST_F(Resume, AfterAnyStepOnAnyNumberOfRanksEqualsNeverStopping) {
  const auto run = [&](Network& model, Communicator communicator, StateTaker& taker,
                       const TrainingState* from) {
    Trainer trainer(model, std::move(communicator),
                    {.epochs = 4, .batch_size = 6, .validation_split = 0.2, .seed = 7});
    trainer.add_callback(std::shared_ptr<Callback>(&taker, [](Callback*) {}));
    if (from) trainer.restore(*from);
    return without_clocks(trainer.fit(data_.view()));
  };
  // 3 steps an epoch. The rank that asks for a stop is heard at the next step.
  using Steps = StateTaker::Steps;
  for (const Steps& steps : {Steps{1}, Steps{2}, Steps{3}, Steps{1, 2}, Steps{2, 2}, Steps{3, 2},
                             Steps{1, 0, 1}, Steps{2, 0, 1}, Steps{3, 2, 3}}) {
    SCOPED_TRACE(
        fmt::format("state after step {}, rate {}, stop {}", steps.take, steps.rate, steps.stop));
    Network whole = test::classifier(4, 6, 3, "adam", 0.25);
    StateTaker taker(steps);
    const std::string history = run(whole, world(), taker, nullptr);
    EXPECT_EQ(taker.state.amid.steps, steps.take);
    TrainingState state = training_state_from_json(to_json_text(taker.state));
    state.iterations = taker.state.iterations;
    state.slots = taker.state.slots;

    // What was asked for before is in the state.
    StateTaker rest(
        {0, steps.rate > steps.take ? steps.rate : 0, steps.stop > steps.take ? steps.stop : 0});
    for (const bool alone : {false, true}) {
      Network resumed = test::classifier(4, 6, 3, "adam", 0.25);
      std::ranges::copy(taker.weights, resumed.arena().values().begin());
      EXPECT_EQ(run(resumed, alone ? test::alone() : world(), rest, &state), history);
      EXPECT_EQ(resumed.weights_sha256(), whole.weights_sha256());
      EXPECT_EQ(resumed.optimizer().iterations(), whole.optimizer().iterations());
    }
  }
}

TEST_F(Resume, TakesARateThatIsAskedForBefore) {
  Trainer first(model_, world(), {.epochs = 1});
  first.fit(data_.view());
  Trainer trainer(model_, world(), {.epochs = 2});
  trainer.restore(first.state());
  trainer.set_learning_rate(0.125);
  EXPECT_EQ(trainer.fit(data_.view()).back().learning_rate, 0.125);
}

TEST_F(Resume, AmidAnEpochNeedsTheSumsOfThisModel) {
  Trainer first(model_, world(), {.epochs = 1});
  first.fit(data_.view());
  TrainingState state = first.state();
  state.amid = {.steps = 1, .sums = {0.5}, .rows = 6};  // and no accuracy
  Trainer trainer(model_, world(), {.epochs = 5});
  trainer.restore(state);
  test::expect_collective_error(communicator_, ExitCode::kBadData, {"2 sums", "epoch 2", "got 1"},
                                [&] { trainer.fit(data_.view()); });
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

TEST_F(Resume, ByAnotherNumberOfRanksFitsTheSameIdentity) {
  const auto identity_of = [&](const Communicator& communicator) {
    Trainer trainer(model_, Communicator(communicator.get()), {.epochs = 1, .batch_size = 6});
    trainer.fit(data_.view());
    return trainer.state().identity;
  };
  const RunIdentity all = identity_of(world());
  const RunIdentity one = identity_of(test::alone());
  EXPECT_EQ(all.trainer, one.trainer);
  EXPECT_EQ(all.inputs, one.inputs);
  EXPECT_TRUE(all.known());
}

class ResumeOfAnother : public Resume {
 protected:
  TrainingState state_after_two_epochs() {
    Trainer trainer(model_, world(), options_);
    trainer.fit(data_.view());
    return trainer.state();
  }
  /// The error of going on from the state with these options, this network and these rows.
  void expect_refusal(const TrainingState& state, ExitCode code,
                      const std::vector<std::string>& words, TrainOptions options, Network& model,
                      const ArrayDataset& data,
                      const std::optional<ArrayDataset>& validation = {}) {
    options.epochs = 3;
    Trainer trainer(model, world(), options);
    trainer.restore(state);
    test::expect_collective_error(communicator_, code, words,
                                  [&] { trainer.fit(data, validation); });
  }

  TrainOptions options_{.epochs = 2, .batch_size = 6, .seed = 7};
};

TEST_F(ResumeOfAnother, OptionIsRefusedWithBothValues) {
  const TrainingState state = state_after_two_epochs();
  const auto expect = [&](const std::string& word, const auto& change) {
    TrainOptions options = options_;
    change(options);
    expect_refusal(state, ExitCode::kUsage, {word, "identity"}, options, model_, data_.view());
  };
  expect("seed 7 there, 8 here", [](TrainOptions& o) { o.seed = 8; });
  expect("batch-size 6 there, 5 here", [](TrainOptions& o) { o.batch_size = 5; });
  expect("grain 8 there, 2 here", [](TrainOptions& o) { o.grain = 2; });
  expect("shuffle true there, false here", [](TrainOptions& o) { o.shuffle = false; });
  expect("steps-per-epoch all rows there, 2 here", [](TrainOptions& o) { o.steps_per_epoch = 2; });
  expect("validation-split 0 there, 0.25 here", [](TrainOptions& o) { o.validation_split = 0.25; });
}

TEST_F(ResumeOfAnother, NetworkOrOptimizerIsRefused) {
  const TrainingState state = state_after_two_epochs();
  Network other_rate = test::classifier(4, 6, 3, "adam", 0.5);
  expect_refusal(state, ExitCode::kUsage, {"network"}, options_, other_rate, data_.view());
  Network other_optimizer = test::classifier(4, 6, 3, "adam", 0.25);
  other_optimizer.compile(Json::parse(R"({"class_name": "Adam", "config": {"beta_1": 0.5}})"),
                          Json("sparse_categorical_crossentropy"), Json::parse(R"(["accuracy"])"));
  expect_refusal(state, ExitCode::kUsage, {"optimizer", "0.9", "0.5"}, options_, other_optimizer,
                 data_.view());
}

TEST_F(ResumeOfAnother, DatasetIsRefused) {
  const TrainingState state = state_after_two_epochs();
  TinyData other = data_;
  other.x[17] += 1;
  expect_refusal(state, ExitCode::kBadData, {"x 20 rows of float32 (4), hash"}, options_, model_,
                 other.view());
  other = data_;
  other.y[3] = other.y[3] == 0 ? 1.0f : 0.0f;
  expect_refusal(state, ExitCode::kBadData, {"y 20 rows of float32"}, options_, model_,
                 other.view());
  expect_refusal(state, ExitCode::kBadData, {"x 20 rows", "there, 19 rows"}, options_, model_,
                 data_.view().slice(0, 19));
  expect_refusal(state, ExitCode::kBadData, {"x-val not set there, 5 rows"}, options_, model_,
                 data_.view(), data_.view().slice(0, 5));
}

TEST_F(ResumeOfAnother, IsAllowedWithoutAnIdentity) {
  TrainingState state = state_after_two_epochs();
  state.identity = {};
  options_.seed = 8;
  options_.epochs = 3;
  Trainer trainer(model_, world(), options_);
  trainer.restore(state);
  EXPECT_EQ(trainer.fit(data_.view().slice(0, 19)).size(), 3u);
}

TEST_F(ResumeOfAnother, StateIsRefusedIfItCannotBeOne) {
  const TrainingState good = state_after_two_epochs();
  Trainer trainer(model_, world(), options_);
  TrainingState state = good;
  state.epoch = -3;
  test::expect_error(ExitCode::kBadData, {"epochs done"}, [&] { trainer.restore(state); });
  state = good;
  state.iterations = -1;
  test::expect_error(ExitCode::kBadData, {"steps done"}, [&] { trainer.restore(state); });
  state = good;
  state.slots[1].pop_back();
  expect_refusal(state, ExitCode::kBadData, {"optimizer slots"}, options_, model_, data_.view());
  state = good;
  state.callbacks = {{"early_stopping", R"({"wait": 0, "best": [)"}};
  Trainer with_callback(model_, world(), options_);
  with_callback.add_callback(std::make_shared<EarlyStopping>(EarlyStopping::Options{}));
  with_callback.restore(state);
  test::expect_collective_error(communicator_, ExitCode::kBadData, {"early_stopping"},
                                [&] { with_callback.fit(data_.view()); });
}

TEST_F(ResumeOfAnother, NumberOfBestWeightsIsRefused) {
  TrainingState state = state_after_two_epochs();
  state.callbacks = {
      {"early_stopping", R"({"wait":0,"stopped_epoch":0,"best_epoch":0,"best":"0x1p+0",)"
                         R"("best_weights":")" +
                             std::string(80'000, '0') + "\"}"}};
  Trainer trainer(model_, world(), options_);
  trainer.add_callback(std::make_shared<EarlyStopping>(
      EarlyStopping::Options{.monitor = "loss", .restore_best_weights = true}));
  trainer.restore(state);
  test::expect_collective_error(communicator_, ExitCode::kBadData, {"best weights, got 10000"},
                                [&] { trainer.fit(data_.view()); });
}

/// Sets the rate at the end of an epoch, and takes down the state after the second one.
class Slower final : public Callback {
 public:
  explicit Slower(std::int64_t epoch) : epoch_(epoch) {}
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override {
    if (report.epoch == epoch_) trainer.set_learning_rate(0.125);
    if (report.epoch == 2) state = trainer.state();
  }
  TrainingState state;

 private:
  std::int64_t epoch_;
};

TEST_F(Resume, GoesOnWithTheRateThatACallbackHasSet) {
  for (const std::int64_t epoch : {1, 2}) {
    const auto train = [&](Network& model, std::int64_t epochs) {
      Trainer trainer(model, world(), {.epochs = epochs, .batch_size = 6});
      const auto slower = std::make_shared<Slower>(epoch);
      trainer.add_callback(slower);
      trainer.fit(data_.view());
      return slower->state;
    };
    Network whole = test::classifier(4, 6, 3, "sgd");
    train(whole, 4);
    Network first = test::classifier(4, 6, 3, "sgd");
    const TrainingState middle = train(first, 2);
    const auto go_on = [&](Network& model) {
      std::ranges::copy(first.arena().values(), model.arena().values().begin());
      Trainer trainer(model, world(), {.epochs = 4, .batch_size = 6});
      trainer.restore(middle);
      trainer.fit(data_.view());
      EXPECT_EQ(model.weights_sha256(), whole.weights_sha256()) << epoch;
    };
    Network second = test::classifier(4, 6, 3, "sgd");
    go_on(second);  // compiled with the rate of the beginning
    go_on(second);  // and now, as if read from a file, with that of the middle
  }
}

/// Spoils the network or one replica after the second epoch, and saves after every one.
class Spoiler final : public Callback {
 public:
  Spoiler(std::filesystem::path path, std::function<void(Trainer&)> spoil)
      : path_(std::move(path)), spoil_(std::move(spoil)) {}
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override {
    if (report.epoch == 2) {
      trainer.communicator().barrier();
      spoil_(trainer);
      trainer.communicator().barrier();
    }
    trainer.save(path_);
  }

 private:
  std::filesystem::path path_;
  std::function<void(Trainer&)> spoil_;
};

class Saving : public SavedTraining {
 protected:
  void expect_no_save(DistributedOptimizer::Strategy sync, const std::vector<std::string>& words,
                      const std::function<void(Trainer&)>& spoil) {
    const test::SharedDirectory directory(communicator_);
    Trainer trainer(model_, world(), {.epochs = 3, .sync = sync, .check_replicas_every = 0});
    trainer.add_callback(std::make_shared<Spoiler>(directory / "model.h5", spoil));
    test::expect_collective_error(communicator_, ExitCode::kNumerical, words,
                                  [&] { trainer.fit(data_.view()); });
    const LoadedModel saved = load_model(directory / "model.h5");
    EXPECT_EQ(training_state_from_json(saved.training_state).epoch, 1);
    for (const float value : saved.model.arena().values()) EXPECT_TRUE(std::isfinite(value));
  }
};

TEST_F(Saving, KeepsTheOldFileIfAWeightIsNotFinite) {
  for (const auto sync :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce})
    for (const float value :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
      expect_no_save(sync, {"before saving step 2", "finite"},
                     [&](Trainer& trainer) { trainer.model().arena().values()[3] = value; });
}

TEST_F(Saving, KeepsTheOldFileIfReplicasDiffer) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  expect_no_save(DistributedOptimizer::Strategy::kAllreduce, {"before saving step 2", "on rank 1"},
                 [&](Trainer& trainer) {
                   if (trainer.communicator().rank() == 1) trainer.model().arena().values()[3] += 1;
                 });
}

}  // namespace
}  // namespace lockstep
