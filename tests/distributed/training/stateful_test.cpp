#include <algorithm>
#include <functional>

#include "distributed/training/carried_states.hpp"
#include "distributed/training/trainer.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"

/// Layers that carry their states from batch to batch, on all ranks against one alone.
namespace lockstep {
namespace {

using test::alone;
using test::TinyData;
using test::world;

constexpr std::int64_t kBatch = 24, kRows = 4 * kBatch, kSteps = 3, kFeatures = 4, kClasses = 3;

Network network() {
  Network model = model_from_layers_text(
      "Input((3, 4)), LSTM(5, stateful=True, return_sequences=True, recurrent_dropout=0.3), "
      "Bidirectional(GRU(3, stateful=True, return_sequences=True)), Masking(0.5), "
      "RNN([LSTMCell(2), SimpleRNNCell(4)], stateful=True), Dense(3, softmax)");
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

const TinyData& rows() {
  static const TinyData data = [] {
    const RandomStream random(12, Purpose::kSynthetic, 0);
    TinyData made{{}, {}, {kSteps, kFeatures}, {}};
    made.x.resize(kRows * kSteps * kFeatures);
    for (std::size_t i = 0; i < made.x.size(); ++i)
      made.x[i] = static_cast<float>(random.normal(i));
    for (std::int64_t row = 0; row < kRows; ++row)
      made.y.push_back(static_cast<float>(row * row % kClasses));
    return made;
  }();
  return data;
}

TrainOptions options() {
  return {.epochs = 2,
          .batch_size = kBatch,
          .validation_split = 0.25,
          .shuffle = false,
          .seed = 3,
          .grain = 4,
          .check_replicas_every = 1};
}

/// All that a training leaves.
struct Trained {
  std::string weights;
  std::vector<double> losses;  ///< of training, of validation, and of an evaluation behind them
  CarriedStates states;
  std::vector<float> predictions;
  bool operator==(const Trained&) const = default;
};

std::vector<float> predictions_of(const Network& model, const Communicator& communicator) {
  std::vector<float> all;
  predict(model, communicator, rows().view().x, kBatch, [&](std::int64_t first, ConstMatrix some) {
    EXPECT_EQ(first * kClasses, static_cast<std::int64_t>(all.size()));
    all.insert(all.end(), some.data, some.data + some.size());
  });
  return all;
}

Trained train(Network& model, Communicator communicator, const TrainOptions& options,
              const std::function<void(Trainer&)>& prepare = {}) {
  Trainer trainer(model, std::move(communicator), options);
  if (prepare) prepare(trainer);
  Trained trained;
  for (const EpochReport& epoch : trainer.fit(rows().view()))
    trained.losses.insert(trained.losses.end(), {epoch.loss, epoch.validation_loss.value_or(0)});
  trained.weights = model.weights_sha256();
  trained.losses.push_back(trainer.evaluate(rows().view()).loss);
  trained.states = copy_states(model);
  trained.predictions = predictions_of(model, trainer.communicator());
  if (!trainer.communicator().is_root()) trained.predictions.clear();
  return trained;
}

/// On rank 0, whole; elsewhere without predictions.
Trained train_alone(const TrainOptions& options) {
  Network model = network();
  Trained trained = train(model, alone(), options);
  if (!world().is_root()) trained.predictions.clear();
  return trained;
}

void expect_equal(const Trained& got, const Trained& expected) {
  EXPECT_EQ(got.weights, expected.weights);
  EXPECT_EQ(got.losses, expected.losses);
  EXPECT_TRUE(got.states == expected.states);
  EXPECT_TRUE(got.predictions == expected.predictions);
}

class StatefulOverRanks : public testing::TestWithParam<DistributedOptimizer::Strategy> {
 protected:
  static TrainOptions options() {
    TrainOptions all = lockstep::options();
    all.sync = GetParam();
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Strategies, StatefulOverRanks, test::kStrategies, test::strategy_name);

TEST_P(StatefulOverRanks, GivesOneRanksBits) {
  for (const std::int64_t grain : {1, 4, 24}) {
    for (const bool reset : {false, true}) {
      SCOPED_TRACE(fmt::format("grain {}, reset {}", grain, reset));
      TrainOptions options = StatefulOverRanks::options();
      options.grain = grain;
      options.reset_states = reset;
      options.block_grains = 1;
      const Trained expected = train_alone(options);
      Network model = network();
      expect_equal(train(model, world(), options), expected);
      options.validate_on_root = true;
      Network other = network();
      expect_equal(train(other, world(), options), expected);
    }
  }
}

TEST_P(StatefulOverRanks, CarriesStatesThatMatter) {
  TrainOptions options = StatefulOverRanks::options();
  const Trained carried = train_alone(options);
  options.reset_states = true;
  const Trained reset = train_alone(options);
  EXPECT_EQ(reset.losses[0], carried.losses[0]) << "the first epoch begins with zeros";
  EXPECT_NE(reset.losses[2], carried.losses[2]);
  // Validation goes on from training, and training from it.
  options.reset_states = false;
  options.validation_freq = 2;
  EXPECT_NE(train_alone(options).losses[2], carried.losses[2]);
  options.validation_split = 0;
  const Trained unvalidated = train_alone(options);
  options.reset_states = true;
  EXPECT_NE(train_alone(options).losses[2], unvalidated.losses[2]);
}

/// Takes the state, and the weights, after a step of epoch 2.
class StateTaker final : public Callback {
 public:
  explicit StateTaker(std::int64_t step) : step_(step) {}
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    if (report.epoch != 2 || report.step != step_) return;
    state = trainer.state();
    const auto values = trainer.model().arena().values();
    weights.assign(values.begin(), values.end());
  }
  TrainingState state;
  std::vector<float> weights;

 private:
  std::int64_t step_;
};

TEST_P(StatefulOverRanks, GoesOnFromAnyStepOnAnotherNumberOfRanks) {
  const TrainOptions options = StatefulOverRanks::options();
  for (const std::int64_t step : {1, 3}) {
    const auto taker = std::make_shared<StateTaker>(step);
    Network whole = network();
    const Trained expected =
        train(whole, world(), options, [&](Trainer& trainer) { trainer.add_callback(taker); });
    ASSERT_EQ(taker->state.states.size(), 7u);
    for (const bool on_one : {false, true}) {
      Network model = network();
      std::ranges::copy(taker->weights, model.arena().values().begin());
      Trained resumed = train(model, on_one ? alone() : world(), options,
                              [&](Trainer& trainer) { trainer.restore(taker->state); });
      if (!world().is_root()) resumed.predictions.clear();
      expect_equal(resumed, expected);
    }
  }
}

TEST(StatefulTraining, GoesOnFromAFile) {
  const Communicator communicator = world();
  const test::SharedDirectory directory(communicator);
  TrainOptions options = lockstep::options();
  Network whole = network();
  const Trained expected = train(whole, world(), options);

  options.epochs = 1;
  Network first = network();
  Trainer trainer(first, world(), options);
  trainer.fit(rows().view());
  options.epochs = 2;
  for (const char* name : {"c.h5", "c.keras"}) {
    trainer.save(directory / name);
    LoadedModel loaded = load_model(directory / name);
    EXPECT_EQ(loaded.model.batch_size(), kBatch);
    EXPECT_TRUE(loaded.states == copy_states(first));
    EXPECT_EQ(loaded.model.graph().states().front()->rows(), 0) << "a file begins with zeros";
    TrainingState state = training_state_from_json(loaded.training_state);
    state.iterations = loaded.iterations;
    state.slots = *loaded.slots;
    state.states = loaded.states;
    expect_equal(
        train(loaded.model, world(), options, [&](Trainer& again) { again.restore(state); }),
        expected);
  }
}

TEST(StatefulTraining, RefusesStatesOfAnotherNetwork) {
  Network model = network();
  Trainer trainer(model, world(), options());
  TrainingState state;
  state.states = {{1, 2, 3}};
  state.slots.assign(2,
                     std::vector<float>(static_cast<std::size_t>(model.arena().trainable_size())));
  trainer.restore(state);
  test::expect_collective_error(world(), ExitCode::kBadData, {"7 states", "24 rows"},
                                [&] { trainer.fit(rows().view()); });
}

TEST(StatefulTraining, RefusesRowsThatDoNotGoOn) {
  const Communicator communicator = world();
  const auto expect_refusal = [&](const std::function<void(TrainOptions&)>& change,
                                  const std::vector<std::string>& words) {
    TrainOptions some = options();
    change(some);
    Network model = network();
    Trainer trainer(model, world(), some);
    test::expect_collective_error(communicator, ExitCode::kUsage, words,
                                  [&] { trainer.fit(rows().view()); });
  };
  expect_refusal([](TrainOptions& o) { o.shuffle = true; }, {"lstm", "no-shuffle"});
  expect_refusal([](TrainOptions& o) { o.batch_size = 20; },
                 {"lstm", "whole batches of 20 rows", "72 training rows", "12 are left over"});
  expect_refusal([](TrainOptions& o) { o.batch_size = 72; },
                 {"whole batches of 72 rows", "24 validation rows"});
  expect_refusal([](TrainOptions& o) { o.validation_batch_size = 12; },
                 {"batches of 24 rows", "24 validation rows in batches of 12"});
  Network model = network();
  Trainer trainer(model, world(), options());
  trainer.fit(rows().view());
  test::expect_collective_error(communicator, ExitCode::kUsage, {"whole batches", "95 evaluated"},
                                [&] { trainer.evaluate(rows().view().slice(0, 95)); });
  test::expect_collective_error(
      communicator, ExitCode::kUsage, {"batches of 24 rows", "of 12"},
      [&] { predict(model, communicator, rows().view().x, 12, [](std::int64_t, ConstMatrix) {}); });
}

TEST(StatefulTraining, AloneHasStatesToReset) {
  const TinyData data = test::classified_rows(20, 4, 3);
  Network model = test::classifier(4, 6, 3);
  Trainer trainer(model, world(), {.reset_states = true});
  test::expect_collective_error(world(), ExitCode::kUsage, {"stateful layer", "reset-states"},
                                [&] { trainer.fit(data.view()); });
}

}  // namespace
}  // namespace lockstep
