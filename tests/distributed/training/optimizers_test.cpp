#include <algorithm>
#include <vector>

#include "distributed/training/trainer.hpp"
#include "tests/support/optimizer_settings.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

/// Training with every optimizer.
namespace lockstep {
namespace {

using Strategy = DistributedOptimizer::Strategy;

/// Takes state and weights after so many steps.
class StateTaker final : public Callback {
 public:
  explicit StateTaker(std::int64_t after) : after_(after) {}
  void on_step_end(Trainer& trainer, const StepReport&) override {
    if (trainer.model().optimizer().iterations() != after_) return;
    state = trainer.state();
    const auto values = trainer.model().arena().values();
    weights.assign(values.begin(), values.end());
  }
  TrainingState state;
  std::vector<float> weights;

 private:
  std::int64_t after_;
};

class TrainingWith : public testing::TestWithParam<test::OptimizerSetting> {
 protected:
  Network model() const {
    Network model = test::classifier(4, 6, 3);
    model.compile(GetParam().json, nlohmann::ordered_json("sparse_categorical_crossentropy"),
                  nlohmann::ordered_json::array({"accuracy"}));
    return model;
  }
  /// Three steps in each of three epochs.
  void train(Network& model, Communicator communicator, Strategy sync,
             const std::shared_ptr<Callback>& callback, const TrainingState* from = nullptr) const {
    Trainer trainer(model, std::move(communicator),
                    {.epochs = 3, .batch_size = 7, .seed = 7, .sync = sync});
    if (callback) trainer.add_callback(callback);
    if (from) trainer.restore(*from);
    trainer.fit(data_.view());
  }
  const test::TinyData data_ = test::classified_rows(20, 4, 3);
};
INSTANTIATE_TEST_SUITE_P(Optimizers, TrainingWith, testing::ValuesIn(test::optimizer_settings()),
                         [](const auto& info) { return info.param.name; });

TEST_P(TrainingWith, GivesTheBitsOfOneRankOnAllOfThem) {
  Network alone = model();
  const auto expected = std::make_shared<StateTaker>(5);
  train(alone, test::alone(), Strategy::kSharded, expected);
  for (const Strategy sync : {Strategy::kSharded, Strategy::kAllreduce}) {
    Network together = model();
    const auto taker = std::make_shared<StateTaker>(5);
    train(together, test::world(), sync, taker);
    EXPECT_EQ(together.weights_sha256(), alone.weights_sha256());
    EXPECT_EQ(taker->weights, expected->weights);
    EXPECT_EQ(taker->state.slots, expected->state.slots);
  }
}

TEST_P(TrainingWith, GoesOnAfterAnyStepAsIfItHadNotStopped) {
  Network whole = model();
  train(whole, test::world(), Strategy::kSharded, nullptr);
  for (const std::int64_t steps : {1, 4, 5}) {
    Network first = model();
    const auto taker = std::make_shared<StateTaker>(steps);
    train(first, test::world(), Strategy::kSharded, taker);
    Network resumed = model();
    std::ranges::copy(taker->weights, resumed.arena().values().begin());
    train(resumed, test::world(), Strategy::kAllreduce, nullptr, &taker->state);
    EXPECT_EQ(resumed.weights_sha256(), whole.weights_sha256()) << steps;
  }
}

/// Norms of a parameter of which every rank owns a part.
TEST(TrainingWithTrustRatios, GivesTheBitsOfOneRankOnAllOfThem) {
  for (const char* optimizer : {"lamb", "lars"}) {
    const auto train = [&](Communicator communicator, Strategy sync) {
      Network model = test::classifier(40, 40, 3, optimizer);
      Trainer trainer(model, std::move(communicator), {.epochs = 2, .batch_size = 8, .sync = sync});
      const test::TinyData data = test::classified_rows(20, 40, 3);
      trainer.fit(data.view());
      return model.weights_sha256();
    };
    const std::string alone = train(test::alone(), Strategy::kSharded);
    EXPECT_EQ(train(test::world(), Strategy::kSharded), alone) << optimizer;
    EXPECT_EQ(train(test::world(), Strategy::kAllreduce), alone) << optimizer;
  }
}

TEST(TrainingWithAverages, EndsWithThem) {
  Network model = test::classifier(4, 6, 3);
  const nlohmann::ordered_json averaging = {{"class_name", "SGD"},
                                            {"config", {{"use_ema", true}, {"ema_momentum", 0.5}}}};
  model.compile(averaging, nlohmann::ordered_json("sparse_categorical_crossentropy"),
                nlohmann::ordered_json::array());
  Trainer trainer(model, test::world(), {.epochs = 2, .batch_size = 6});
  const auto taker = std::make_shared<StateTaker>(4);
  trainer.add_callback(taker);
  const test::TinyData data = test::classified_rows(12, 4, 3);
  trainer.fit(data.view());
  ASSERT_EQ(taker->state.slots.size(), 1u);
  EXPECT_NE(taker->weights, taker->state.slots[0]);
  EXPECT_TRUE(std::ranges::equal(model.arena().values(), taker->state.slots[0]));
}

}  // namespace
}  // namespace lockstep
