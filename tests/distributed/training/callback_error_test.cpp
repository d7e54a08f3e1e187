#include <stdexcept>

#include "distributed/training/evaluator.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// A hook, or a sink, of the user's that throws on one rank.
namespace lockstep {
namespace {

using test::expect_collective_error;
using test::world;

enum class Hook { kTrainBegin, kStepEnd, kEpochEnd, kTrainEnd };

/// Throws in one hook on one rank; the other ranks may be in a collective call of the same hook.
class Thrower final : public Callback {
 public:
  Thrower(Hook hook, int rank, bool collective)
      : hook_(hook), rank_(rank), collective_(collective) {}
  void on_train_begin(Trainer& trainer) override { maybe_throw(Hook::kTrainBegin, trainer); }
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    if (report.step == 2) maybe_throw(Hook::kStepEnd, trainer);
  }
  void on_epoch_end(Trainer& trainer, const EpochReport&) override {
    maybe_throw(Hook::kEpochEnd, trainer);
  }
  void on_train_end(Trainer& trainer) override { maybe_throw(Hook::kTrainEnd, trainer); }

 private:
  void maybe_throw(Hook here, Trainer& trainer) const {
    if (here != hook_) return;
    if (trainer.communicator().rank() == rank_) throw std::runtime_error("no more paper");
    if (collective_) trainer.state();
  }
  Hook hook_;
  int rank_;
  bool collective_;
};

class CallbackErrors : public testing::Test {
 protected:
  void SetUp() override {
    if (communicator_.size() == 1) GTEST_SKIP() << "needs two ranks";
  }
  void expect_end(Hook hook, int rank, bool collective, DistributedOptimizer::Strategy sync) {
    SCOPED_TRACE(fmt::format("hook {}, rank {}, {}", static_cast<int>(hook), rank, collective));
    Network model = test::classifier(4, 5, 3);
    Trainer trainer(model, world(),
                    {.epochs = 2, .batch_size = 6, .validation_split = 0.2, .sync = sync});
    trainer.add_callback(std::make_shared<Thrower>(hook, rank, collective));
    expect_collective_error(communicator_, ExitCode::kNumerical,
                            {fmt::format("rank {}: no more paper", rank)},
                            [&] { trainer.fit(data_.view()); });
  }

  const Communicator communicator_ = world();
  const test::TinyData data_ = test::classified_rows(20, 4, 3);
};

TEST_F(CallbackErrors, EndTrainingOnAllRanks) {
  for (const Hook hook : {Hook::kTrainBegin, Hook::kStepEnd, Hook::kEpochEnd, Hook::kTrainEnd})
    for (const int rank : {0, communicator_.size() - 1})
      expect_end(hook, rank, false, DistributedOptimizer::Strategy::kSharded);
}

TEST_F(CallbackErrors, EndTrainingThatExchangesMessages) {
  for (const Hook hook : {Hook::kStepEnd, Hook::kEpochEnd})
    expect_end(hook, communicator_.size() - 1, false, DistributedOptimizer::Strategy::kAllreduce);
}

TEST_F(CallbackErrors, EndTrainingWhileOthersAreInACollectiveCallOfTheHook) {
  for (const Hook hook : {Hook::kTrainBegin, Hook::kStepEnd, Hook::kEpochEnd, Hook::kTrainEnd})
    expect_end(hook, communicator_.size() - 1, true, DistributedOptimizer::Strategy::kSharded);
}

TEST_F(CallbackErrors, OfTheLastRanksHookReachTheProgramThatGoesOn) {
  expect_end(Hook::kEpochEnd, communicator_.size() - 1, false,
             DistributedOptimizer::Strategy::kSharded);
  // The next training is none the worse for it.
  Network model = test::classifier(4, 5, 3);
  Trainer(model, world(), {.epochs = 1}).fit(data_.view());
  test::expect_same_everywhere(communicator_, model.weights_sha256());
}

TEST_F(CallbackErrors, OfASinkEndPredictionOnAllRanks) {
  Network model = test::classifier(4, 5, 3);
  const Communicator own = world();
  expect_collective_error(communicator_, ExitCode::kInputOutput, {"rank 0: ", "disk full"}, [&] {
    predict(model, own, data_.view().x, 4,
            [](std::int64_t, ConstMatrix) { fail(ExitCode::kInputOutput, "disk full"); });
  });
}

}  // namespace
}  // namespace lockstep
