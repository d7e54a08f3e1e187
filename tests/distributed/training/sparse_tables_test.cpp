#include <algorithm>
#include <nlohmann/json.hpp>

#include "distributed/training/trainer.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"

/// Training of tables whose rows are updated when a batch names them, against a sweep over all rows
/// in every step.
namespace lockstep {
namespace {

using test::world;

constexpr std::int64_t kTokens = 6, kRows = 60;
constexpr const char* kLayers =
    "Input((6,)), TokenAndPositionEmbedding(900, 6, 8), Dropout(0.2), LSTM(5), Dense(3, softmax)";

test::TinyData sentences() {
  const RandomStream random(12, Purpose::kSynthetic, 0);
  test::TinyData data{{}, {}, {kTokens}, {}};
  for (std::int64_t i = 0; i < kRows * kTokens; ++i)
    data.x.push_back(i % kTokens == 0 ? 0.0f
                                      : static_cast<float>(random.below(
                                            i % 2 == 0 ? 20 : 900, static_cast<std::uint64_t>(i))));
  for (std::int64_t row = 0; row < kRows; ++row)
    data.y.push_back(static_cast<float>(row * row % 3));
  return data;
}

struct Trained {
  std::string weights;
  std::vector<double> losses;
  TrainingState state;
};

/// Reads the weights after every `every` steps, if it is not 0, and takes the state after a step.
class Reader final : public Callback {
 public:
  Reader(std::int64_t every, std::int64_t take) : every_(every), take_(take) {}
  bool reads_weights_in_steps() const override { return every_ > 0; }
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    const std::int64_t step = trainer.model().optimizer().iterations();
    if (every_ > 0 && step % every_ == 0) read.push_back(trainer.model().weights_sha256());
    if (report.step == take_ && report.epoch == 1) {
      state = trainer.state();
      const auto values = trainer.model().arena().values();
      weights.assign(values.begin(), values.end());
    }
  }
  void on_epoch_end(Trainer& trainer, const EpochReport&) override {
    read.push_back(trainer.model().weights_sha256());
  }
  std::vector<std::string> read;
  TrainingState state;
  std::vector<float> weights;

 private:
  std::int64_t every_, take_;
};

TrainOptions options_of(std::optional<bool> sparse, DistributedOptimizer::Strategy sync) {
  return {.epochs = 2,
          .batch_size = 16,
          .validation_split = 0.2,
          .steps_per_epoch = 110,
          .seed = 3,
          .grain = 2,
          .sync = sync,
          .bucket_floats = 300,
          .sparse_tables = sparse};
}

Network compiled() {
  Network model = model_from_layers_text(kLayers);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

Trained train(Network& model, Communicator communicator, const TrainOptions& options,
              const std::shared_ptr<Reader>& reader, const TrainingState* from = nullptr) {
  Trainer trainer(model, std::move(communicator), options);
  trainer.add_callback(reader);
  if (from) trainer.restore(*from);
  Trained trained;
  for (const EpochReport& epoch : trainer.fit(sentences().view()))
    trained.losses.insert(trained.losses.end(), {epoch.loss, epoch.validation_loss.value()});
  trained.weights = model.weights_sha256();
  trained.state = trainer.state();
  return trained;
}

void expect_same(const Trained& a, const Trained& b) {
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_TRUE(a.state.slots == b.state.slots);
}

class SparseTables : public testing::TestWithParam<DistributedOptimizer::Strategy> {
 protected:
  /// The sweep on one rank; computed once.
  struct Reference {
    Trained trained;
    std::shared_ptr<Reader> reader = std::make_shared<Reader>(7, 0);
  };
  static const Reference& swept() {
    static const Reference reference = [] {
      Reference its;
      Network model = compiled();
      its.trained =
          train(model, test::alone(), options_of(false, DistributedOptimizer::Strategy::kAllreduce),
                its.reader);
      return its;
    }();
    return reference;
  }
};
INSTANTIATE_TEST_SUITE_P(Strategies, SparseTables, test::kStrategies, test::strategy_name);

TEST_P(SparseTables, TrainAsASweepDoes) {
  Network model = compiled();
  // By themselves, since the batch names few rows.
  const auto reader = std::make_shared<Reader>(0, 0);
  expect_same(train(model, world(), options_of({}, GetParam()), reader), swept().trained);
}

TEST_P(SparseTables, ShowCallbacksWhatASweepShows) {
  Network model = compiled();
  const auto reader = std::make_shared<Reader>(7, 0);
  expect_same(train(model, world(), options_of({}, GetParam()), reader), swept().trained);
  EXPECT_EQ(reader->read, swept().reader->read);
}

/// State and weights are taken amid an epoch; then others go on, by rows or by sweeps.
TEST_P(SparseTables, GoOnFromAStateOnAnyNumberOfRanks) {
  Network model = compiled();
  const auto taker = std::make_shared<Reader>(0, 60);
  expect_same(train(model, world(), options_of({}, GetParam()), taker), swept().trained);
  for (const bool alone : {false, true})
    for (const bool sparse : {false, true}) {
      Network resumed = compiled();
      std::ranges::copy(taker->weights, resumed.arena().values().begin());
      const auto reader = std::make_shared<Reader>(0, 0);
      expect_same(train(resumed, alone ? test::alone() : world(), options_of(sparse, GetParam()),
                        reader, &taker->state),
                  swept().trained);
    }
}

}  // namespace
}  // namespace lockstep
