#include <cmath>
#include <limits>
#include <numeric>

#include "distributed/training/trainer.hpp"
#include "io/data/sample_order.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Which rows the trainer takes, at which step, with which weight.
namespace lockstep {
namespace {

using test::TinyData;
using test::world;

constexpr double kRate = 0.5;

/// Trains y = x w on unit vectors with targets far away under the mean absolute error: every visit
/// of row i adds rate / (rows of its batch) to weight i. Returns the weights.
std::vector<float> visits(std::int64_t rows, const TrainOptions& options) {
  const TinyData data = test::unit_rows(std::vector<float>(static_cast<std::size_t>(rows), 1000));
  Network model = test::linear_network(rows, "mae", kRate);
  Trainer(model, world(), options).fit(data.view());
  const auto weights = model.layers()[0]->parameters()[0].value;
  return {weights.begin(), weights.end()};
}

/// The same, computed from the sample order of each pass.
std::vector<float> expected_visits(std::int64_t rows, std::int64_t batch, std::int64_t passes,
                                   std::uint64_t seed) {
  std::vector<float> weights(static_cast<std::size_t>(rows));
  SampleOrder order(rows, true, seed);
  for (std::int64_t pass = 0; pass < passes; ++pass) {
    order.begin_epoch(pass);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t in_batch = std::min(batch, rows - i / batch * batch);
      weights[static_cast<std::size_t>(order.row(i))] +=
          static_cast<float>(kRate / static_cast<double>(in_batch));
    }
  }
  return weights;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

TEST(TrainerRows, TakesEveryRowOnceAnEpoch) {
  for (const std::int64_t epochs : {1, 4})
    expect_near(visits(11, {.epochs = epochs, .batch_size = 3, .seed = 5}),
                expected_visits(11, 3, epochs, 5));
}

TEST(TrainerRows, TakesBatchesOfEverySize) {
  for (const std::int64_t batch : {1, 4, 10, 11})
    expect_near(visits(11, {.epochs = 2, .batch_size = batch}), expected_visits(11, batch, 2, 0));
}

TEST(TrainerRows, TakesTheLargestNumbersForABatchAndAGrain) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  expect_near(visits(11, {.epochs = 2, .batch_size = kLargest, .grain = kLargest}),
              expected_visits(11, 11, 2, 0));
}

TEST(TrainerRows, TakesAllRowsAtOnceIfTheBatchIsLargerThanTheDataset) {
  expect_near(visits(5, {.epochs = 2, .batch_size = 32}), std::vector<float>(5, 0.2f));
}

TEST(TrainerRows, LetsRanksBeIdleIfThereAreFewerRowsThanRanks) {
  expect_near(visits(1, {.epochs = 3, .batch_size = 1}), {1.5f});
  expect_near(visits(2, {.epochs = 2, .batch_size = 32}), {0.5f, 0.5f});
}

TEST(TrainerRows, MakesOneOptimizerStepPerBatchTheLastPartialOneIncluded) {
  const TinyData data = test::classified_rows(11, 4, 3);
  Network model = test::classifier(4, 5, 3);
  Trainer(model, world(), {.epochs = 3, .batch_size = 3}).fit(data.view());
  EXPECT_EQ(model.optimizer().iterations(), 3 * 4);
}

/// Notes every StepReport.
class Recorder final : public Callback {
 public:
  void on_step_end(Trainer&, const StepReport& report) override {
    reports.push_back(report);
    reports.back().so_far = nullptr;
  }
  std::vector<StepReport> reports;
};

TEST(TrainerRows, GoesOnInTheStreamOfBatchesWhereAShortEpochEnded) {
  // 7 rows in batches of 2, 2, 2, 1; epochs of 3 steps: 4 epochs are 3 passes.
  const TinyData data = test::unit_rows(std::vector<float>(7, 1000));
  Network model = test::linear_network(7, "mae", kRate);
  Trainer trainer(model, world(), {.epochs = 4, .batch_size = 2, .steps_per_epoch = 3, .seed = 3});
  const auto recorder = std::make_shared<Recorder>();
  trainer.add_callback(recorder);

  trainer.fit(data.view());

  const auto weights = model.layers()[0]->parameters()[0].value;
  expect_near({weights.begin(), weights.end()}, expected_visits(7, 2, 3, 3));
  std::vector<std::int64_t> rows;
  for (const StepReport& report : recorder->reports) {
    EXPECT_EQ(report.steps, 3);
    rows.push_back(report.rows);
  }
  EXPECT_THAT(rows, testing::ElementsAre(2, 4, 6, 1, 3, 5, 2, 3, 5, 2, 4, 5));
}

TEST(TrainerRows, MakesSeveralPassesInOneLongEpoch) {
  expect_near(visits(7, {.epochs = 1, .batch_size = 2, .steps_per_epoch = 12, .seed = 3}),
              expected_visits(7, 2, 3, 3));
}

/// Rows of zeros, so that nothing is learnt, with these targets: the loss is the mean |y|.
TinyData zero_rows(const std::vector<float>& y) {
  return {std::vector<float>(y.size()), y, {1}, {1}};
}

TEST(TrainerRows, WeighsTheLossOfTheLastPartialBatchByItsRows) {
  std::vector<float> y(48, 0.5f);
  std::fill(y.begin() + 32, y.end(), 1.0f);
  const TinyData data = zero_rows(y);
  Network model = test::linear_network(1, "mae", kRate);
  Trainer trainer(model, world(), {.batch_size = 32, .shuffle = false});
  const auto recorder = std::make_shared<Recorder>();
  trainer.add_callback(recorder);

  const History history = trainer.fit(data.view());

  EXPECT_NEAR(history[0].loss, 0.666667, 1e-6);  // by samples, not by batches
  ASSERT_EQ(recorder->reports.size(), 2u);
  EXPECT_NEAR(recorder->reports[0].loss, 0.5, 1e-6);
  EXPECT_NEAR(recorder->reports[1].loss, 0.666667, 1e-6);
}

TEST(TrainerRows, ValidatesOnTheLastRowsCutBeforeShuffling) {
  std::vector<float> y(11);
  std::iota(y.begin(), y.end(), 0.0f);
  const TinyData data = zero_rows(y);
  Network model = test::linear_network(1, "mae", kRate);
  const History history =
      Trainer(model, world(), {.epochs = 2, .batch_size = 3, .validation_split = 0.2})
          .fit(data.view());
  for (const EpochReport& report : history) {
    EXPECT_NEAR(report.loss, 3.5, 1e-6);                     // rows 0 to 7
    EXPECT_NEAR(report.validation_loss.value(), 9.0, 1e-6);  // rows 8 to 10
  }
}

TEST(TrainerRows, ValidatesOnGivenRowsInsteadOfASplit) {
  const TinyData data = zero_rows({1, 2, 3, 6});
  const TinyData validation = zero_rows({10, 20});
  Network model = test::linear_network(1, "mae", kRate);
  const History history =
      Trainer(model, world(), {.validation_split = 0.5}).fit(data.view(), validation.view());
  EXPECT_NEAR(history[0].loss, 3.0, 1e-6);
  EXPECT_NEAR(history[0].validation_loss.value(), 15.0, 1e-6);
}

TEST(TrainerRows, ValidatesEverySoManyEpochs) {
  const TinyData data = zero_rows({1, 2, 3, 6});
  Network model = test::linear_network(1, "mae", kRate);
  const History history =
      Trainer(model, world(), {.epochs = 5, .validation_split = 0.25, .validation_freq = 2})
          .fit(data.view());
  std::vector<bool> validated;
  for (const EpochReport& report : history) validated.push_back(report.validation_loss.has_value());
  EXPECT_THAT(validated, testing::ElementsAre(false, true, false, true, false));
}

TEST(TrainerRows, ValidatesOnRankZeroAloneWithTheSameNumbers) {
  const TinyData data = test::classified_rows(23, 4, 3);
  std::vector<double> losses;
  for (const bool on_root : {false, true}) {
    Network model = test::classifier(4, 5, 3);
    const History history = Trainer(model, world(),
                                    {.epochs = 1,
                                     .validation_split = 0.3,
                                     .validation_batch_size = 2,
                                     .validate_on_root = on_root})
                                .fit(data.view());
    losses.push_back(history[0].validation_loss.value());
  }
  EXPECT_EQ(losses[0], losses[1]);
}

}  // namespace
}  // namespace lockstep
