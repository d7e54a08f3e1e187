#include "distributed/training/frozen_features.hpp"

#include "distributed/training/trainer.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/transfer.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

using test::alone;
using test::TinyData;
using test::world;

constexpr const char* kLayers =
    "Input((7, 7, 2)), Rescaling(0.5, -1), Conv2D(5, 3, activation='relu'), BatchNormalization(), "
    "MaxPooling2D(2), Flatten(), Dropout(0.25), Dense(6, relu), Dense(3, softmax)";

TinyData images() {
  const RandomStream random(4, Purpose::kSynthetic, 0);
  TinyData data{{}, {}, {7, 7, 2}, {}};
  for (std::int64_t row = 0; row < 61; ++row) {
    for (std::int64_t i = 0; i < 98; ++i)
      data.x.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(98 * row + i))));
    data.y.push_back(static_cast<float>(row * row % 3));
  }
  return data;
}

/// Its first weights are those of another seed, as a file's would be.
Network transferred(const std::string& frozen) {
  Network from = model_from_layers_text(kLayers);
  from.initialize(5);
  Network model = transfer(from, {.freeze = {frozen}, .unfreeze = {}, .head = {}}, 0).network;
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  return model;
}

/// What there is to see while it trains.
class Watch final : public Callback {
 public:
  void on_epoch_end(Trainer& trainer, const EpochReport&) override {
    bytes = trainer.cached_bytes();
    state = trainer.state();
  }
  std::int64_t bytes = -1;
  TrainingState state;
};

struct Trained {
  std::string weights;
  std::string history;
  std::int64_t bytes;
  TrainingState state;
};

class FrozenFeaturesOverRanks : public testing::TestWithParam<DistributedOptimizer::Strategy> {
 protected:
  Trained train(Network&& model, Communicator communicator, bool cached, std::int64_t epochs = 3,
                const TrainingState* from = nullptr) const {
    Trainer trainer(model, std::move(communicator),
                    {.epochs = epochs,
                     .batch_size = 16,
                     .validation_split = 0.2,
                     .seed = 2,
                     .initialize = false,
                     .sync = GetParam(),
                     .cache_features = cached});
    const auto watch = std::make_shared<Watch>();
    trainer.add_callback(watch);
    if (from) trainer.restore(*from);
    History history = trainer.fit(data_.view());
    EXPECT_EQ(trainer.cached_bytes(), 0);
    for (EpochReport& report : history)
      report.train_seconds = report.validation_seconds = report.samples_per_second = 0;
    return {model.weights_sha256(), history_to_csv(history), watch->bytes, watch->state};
  }

  const TinyData data_ = images();
};

TEST_P(FrozenFeaturesOverRanks, ChangeNoBit) {
  const Trained expected = train(transferred("[cb]*"), alone(), false);
  EXPECT_EQ(expected.bytes, 0);
  const Trained cached = train(transferred("[cb]*"), world(), true);
  EXPECT_EQ(cached.bytes, 48 * 2 * 2 * 5 * 4);  // rows that train, what is pooled, floats
  EXPECT_EQ(cached.weights, expected.weights);
  EXPECT_EQ(cached.history, expected.history);
}

TEST_P(FrozenFeaturesOverRanks, EndBeforeWhatIsTrained) {
  const Trained expected = train(transferred("conv2d"), alone(), false);
  const Trained cached = train(transferred("conv2d"), world(), true);
  EXPECT_EQ(cached.bytes, 48 * 5 * 5 * 5 * 4);
  EXPECT_EQ(cached.weights, expected.weights);
  EXPECT_EQ(train(transferred("dense"), world(), true).bytes, 0);
}

TEST_P(FrozenFeaturesOverRanks, LeaveSampleWeightsAsTheyAre) {
  std::vector<float> weights;
  for (std::int64_t row = 0; row < 61; ++row) weights.push_back(static_cast<float>(row % 4));
  ArrayDataset weighted = data_.view();
  weighted.weights = array_view<float>(weights, {});
  const auto trained = [&](bool cached) {
    Network model = transferred("[cb]*");
    Trainer trainer(model, world(),
                    {.epochs = 2,
                     .batch_size = 16,
                     .initialize = false,
                     .sync = GetParam(),
                     .cache_features = cached});
    trainer.fit(weighted);
    return model.weights_sha256();
  };
  EXPECT_EQ(trained(true), trained(false));
  EXPECT_NE(trained(true), train(transferred("[cb]*"), world(), true, 2).weights);
}

TEST_P(FrozenFeaturesOverRanks, AreForgottenWhenTrainingFails) {
  class Failing final : public Callback {
   public:
    void on_epoch_end(Trainer& trainer, const EpochReport&) override {
      EXPECT_GT(trainer.cached_bytes(), 0);
      throw Error(ExitCode::kNumerical, "enough");
    }
  };
  Network model = transferred("[cb]*");
  Trainer trainer(model, world(), {.epochs = 2, .initialize = false, .sync = GetParam()});
  trainer.add_callback(std::make_shared<Failing>());
  EXPECT_THROW(trainer.fit(data_.view()), Error);
  EXPECT_EQ(model.objective().aim().inputs(model.graph()), model.graph().inputs());
}

TEST_P(FrozenFeaturesOverRanks, AreComputedAgainWhereTrainingGoesOn) {
  const Trained expected = train(transferred("[cb]*"), alone(), false, 4);
  Network model = transferred("[cb]*");
  const Trained begun = train(std::move(model), world(), true, 2);
  const Trained cached = train(std::move(model), world(), true, 4, &begun.state);
  EXPECT_EQ(cached.bytes, 48 * 2 * 2 * 5 * 4);
  EXPECT_EQ(cached.weights, expected.weights);
  EXPECT_EQ(cached.history, expected.history);
}

INSTANTIATE_TEST_SUITE_P(Strategies, FrozenFeaturesOverRanks, test::kStrategies,
                         test::strategy_name);

}  // namespace
}  // namespace lockstep
