#include <cmath>
#include <limits>

#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// What the trainer refuses, and when it gives up: the same on every rank.
namespace lockstep {
namespace {

using test::expect_collective_error;
using test::TinyData;
using test::world;

class TrainerErrors : public testing::Test {
 protected:
  void expect_refusal(ExitCode code, const std::vector<std::string>& words,
                      const TrainOptions& options) {
    expect_collective_error(communicator_, code, words,
                            [&] { Trainer(model_, world(), options).fit(data_.view()); });
  }
  bool last() const { return communicator_.rank() == communicator_.size() - 1; }
  std::string last_rank() const { return fmt::format("rank {}", communicator_.size() - 1); }

  const Communicator communicator_ = world();
  Network model_ = test::classifier(4, 5, 3);
  TinyData data_ = test::classified_rows(20, 4, 3);
};

TEST_F(TrainerErrors, RefusesOptionsThatMakeNoSense) {
  expect_refusal(ExitCode::kUsage, {"[trainer]", "epochs", "-1"}, {.epochs = -1});
  expect_refusal(ExitCode::kUsage, {"batch-size: expected an integer from 1", "'0'"},
                 {.batch_size = 0});
  for (const double split : {1.0, -0.1, std::numeric_limits<double>::quiet_NaN()})
    expect_refusal(ExitCode::kUsage, {"validation-split: expected a number >= 0 and < 1"},
                   {.validation_split = split});
  expect_refusal(ExitCode::kUsage, {"validation-freq: expected an integer from 1"},
                 {.validation_freq = 0});
  expect_refusal(ExitCode::kUsage, {"validation-batch-size", "'-1'"},
                 {.validation_batch_size = -1});
  expect_refusal(ExitCode::kUsage, {"steps-per-epoch", "'-1'"}, {.steps_per_epoch = -1});
  expect_refusal(ExitCode::kUsage, {"bucket-mib: expected a number > 0, at most 1024", "'0'"},
                 {.bucket_floats = 0});
  expect_refusal(ExitCode::kUsage, {"check-replicas-every", "'-1'"}, {.check_replicas_every = -1});
}

TEST_F(TrainerErrors, RefusesASplitThatLeavesNoRows) {
  data_ = test::classified_rows(10, 4, 3);
  expect_refusal(ExitCode::kUsage, {"10 rows", "0.9"}, {.validation_split = 0.9});
}

TEST_F(TrainerErrors, RefusesAModelThatIsNotCompiled) {
  model_ = Sequential();
  expect_refusal(ExitCode::kUsage, {"compiled"}, {});
}

TEST_F(TrainerErrors, RefusesRowsThatDoNotFit) {
  data_.y[3] = 7;
  expect_refusal(ExitCode::kBadData, {"7", "row 3"}, {});
  data_ = test::classified_rows(20, 6, 3);
  expect_refusal(ExitCode::kBadData, {"6", "4"}, {});
  data_ = TinyData{{}, {}, {4}, {}};
  expect_refusal(ExitCode::kBadData, {"at least one row"}, {});
}

TEST_F(TrainerErrors, RefusesValidationRowsThatDoNotFit) {
  TinyData validation = data_;
  validation.x[4 * 19] = std::numeric_limits<float>::infinity();
  expect_collective_error(
      communicator_, ExitCode::kBadData, {"validation x", "inf", "row 19"},
      [&] { Trainer(model_, world(), {}).fit(data_.view(), validation.view()); });
}

TEST_F(TrainerErrors, RefusesRowsThatDifferBetweenRanks) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  if (last()) data_.x[17] += 1;
  expect_refusal(ExitCode::kDisagreement, {"rows", last_rank()}, {});
}

TEST_F(TrainerErrors, RefusesAnotherNumberOfRowsOnOneRank) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  if (last()) data_ = test::classified_rows(19, 4, 3);
  expect_refusal(ExitCode::kDisagreement, {"20 rows", "19 rows", last_rank()}, {});
}

TEST_F(TrainerErrors, ComparesShapesWhereItDoesNotCompareRows) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  const TinyData whole = data_;
  if (last()) data_ = test::classified_rows(19, 4, 3);
  expect_refusal(ExitCode::kDisagreement, {"20 rows", "19 rows", last_rank()},
                 {.verify_data = false});
  if (last()) data_ = test::classified_rows(20, 5, 3);
  expect_refusal(ExitCode::kDisagreement, {"(4)", "(5)", last_rank()}, {.verify_data = false});
  data_ = whole;
  std::optional<ArrayDataset> validation = data_.view().slice(0, last() ? 9 : 10);
  expect_collective_error(
      communicator_, ExitCode::kDisagreement, {"validation rows", "10 rows", "9 rows"},
      [&] { Trainer(model_, world(), {.verify_data = false}).fit(data_.view(), validation); });
  if (last()) validation.reset();
  expect_collective_error(communicator_, ExitCode::kDisagreement, {"validation rows", "none"}, [&] {
    Trainer(model_, world(), {.verify_data = false}).fit(data_.view(), validation);
  });
  expect_collective_error(communicator_, ExitCode::kDisagreement, {"20 rows", "10 rows"}, [&] {
    Trainer(model_, world(), {.verify_data = false})
        .evaluate(data_.view().slice(0, last() ? 10 : 20));
  });
}

TEST_F(TrainerErrors, RefusesTargetsThatAreNoProbabilities) {
  for (const auto& [value, loss] :
       {std::pair{2.0f, "binary_crossentropy"}, std::pair{-0.1f, "binary_crossentropy"},
        std::pair{-1.0f, "categorical_crossentropy"}}) {
    model_.compile("adam", loss, {});
    TinyData data = data_;
    data.y.assign(60, 0.5f);
    data.y_shape = {3};
    Trainer(model_, world(), {}).fit(data.view());
    data.y[3 * 7 + 1] = value;
    expect_collective_error(communicator_, ExitCode::kBadData, {"y", "row 7", loss},
                            [&] { Trainer(model_, world(), {}).fit(data.view()); });
  }
}

TEST_F(TrainerErrors, RefusesWeightsThatAreNotFinite) {
  model_.initialize(1);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), -INFINITY}) {
    model_.arena().values()[1] = value;
    expect_refusal(ExitCode::kNumerical, {"before the first step", "finite", "dense/kernel"},
                   {.initialize = false});
  }
}

TEST_F(TrainerErrors, RefusesOtherWeightsOnOneRankInEvaluate) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  model_.initialize(last() ? 2 : 1);
  expect_collective_error(communicator_, ExitCode::kDisagreement, {"weights", last_rank()},
                          [&] { Trainer(model_, world(), {}).evaluate(data_.view()); });
}

TEST_F(TrainerErrors, RefusesValidationRowsThatDifferBetweenRanks) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  TinyData validation = data_;
  if (last()) validation.x[3] += 1;
  expect_collective_error(communicator_, ExitCode::kDisagreement, {"validation", last_rank()}, [&] {
    Trainer(model_, world(), {}).fit(data_.view(), validation.view());
  });
  std::optional<ArrayDataset> only_some;
  if (!last()) only_some = data_.view();
  expect_collective_error(communicator_, ExitCode::kDisagreement, {"validation", last_rank()},
                          [&] { Trainer(model_, world(), {}).fit(data_.view(), only_some); });
}

TEST_F(TrainerErrors, RefusesOptionsThatDifferBetweenRanks) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  const auto expect_difference = [&](const TrainOptions& other, const std::string& word) {
    expect_refusal(ExitCode::kDisagreement, {"options", word, last_rank()},
                   last() ? other : TrainOptions{});
  };
  expect_difference({.epochs = 2}, "epochs 2");
  expect_difference({.batch_size = 31}, "batch-size 31");
  expect_difference({.validation_split = 0.25}, "validation-split 0.25");
  expect_difference({.shuffle = false}, "shuffle false");
  expect_difference({.seed = 7}, "seed 7");
  expect_difference({.validate_on_root = true}, "validate-on root");
  expect_difference({.verify_data = false}, "verify-data false");
}

TEST_F(TrainerErrors, RefusesNetworksThatDifferBetweenRanks) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  if (last()) model_ = test::classifier(4, 6, 3);
  expect_refusal(ExitCode::kDisagreement, {"network", last_rank()}, {});
  model_ = test::classifier(4, 5, 3, last() ? "sgd" : "adam");
  expect_refusal(ExitCode::kDisagreement, {"network", last_rank()}, {});
}

TEST_F(TrainerErrors, RefusesToSaveBeforeTheFirstFit) {
  expect_collective_error(communicator_, ExitCode::kUsage, {"[trainer]", "fit()"},
                          [&] { Trainer(model_, world(), {}).state(); });
}

TEST_F(TrainerErrors, GivesUpOnAllRanksWhenTheLossIsNotFinite) {
  Network model = test::linear_network(11, "mse", 1e30);
  const TinyData data = test::unit_rows(std::vector<float>(11, 1e5f));
  expect_collective_error(
      communicator_, ExitCode::kNumerical, {"[trainer] step", "finite loss", "learning rate"},
      [&] { Trainer(model, world(), {.epochs = 50, .batch_size = 3}).fit(data.view()); });
}

/// Destroys the weights of one rank, as a defective memory would.
class Saboteur final : public Callback {
 public:
  explicit Saboteur(int rank) : rank_(rank) {}
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    if (report.step == 3 && trainer.communicator().rank() == rank_)
      trainer.model().arena().values()[0] += 1;
  }

 private:
  int rank_;
};

TEST_F(TrainerErrors, GivesUpOnAllRanksWhenReplicasDiffer) {
  if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  for (const std::int64_t every : {4, 0}) {
    Trainer trainer(model_, world(),
                    {.batch_size = 3,
                     .sync = DistributedOptimizer::Strategy::kAllreduce,
                     .check_replicas_every = every});
    trainer.add_callback(std::make_shared<Saboteur>(communicator_.size() - 1));
    expect_collective_error(
        communicator_, ExitCode::kNumerical,
        {every > 0 ? "after step 4" : "after epoch 1", "same bits", last_rank()},
        [&] { trainer.fit(data_.view()); });
  }
}

}  // namespace
}  // namespace lockstep
