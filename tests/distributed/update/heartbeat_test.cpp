#include "distributed/update/heartbeat.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using Beat = Heartbeat::Beat;
using test::world;

TEST(Heartbeat, ShowsWhereEveryRankOfTheHostStands) {
  const Communicator ranks = world();
  Heartbeat heartbeat(ranks);
  std::vector<int> all(static_cast<std::size_t>(ranks.size()));
  std::iota(all.begin(), all.end(), 0);
  ASSERT_EQ(heartbeat.ranks(), all);
  ASSERT_EQ(heartbeat.self(), static_cast<std::size_t>(ranks.rank()));
  EXPECT_THAT(heartbeat.beats(), testing::Each(Beat{}));
  ranks.barrier();

  heartbeat.begin_step(100 + ranks.rank());
  heartbeat.enter(ranks.rank() % 2 == 0 ? Phase::kForward : Phase::kExchange);
  ranks.barrier();
  const std::vector<Beat> beats = heartbeat.beats();
  for (const int rank : all)
    EXPECT_EQ(beats[static_cast<std::size_t>(rank)],
              (Beat{100 + rank, rank % 2 == 0 ? Phase::kForward : Phase::kExchange, 2}));
  ranks.barrier();
}

TEST(Heartbeat, IsKeptByTheTrainer) {
  Network model = test::classifier(4, 6, 3, "adam", 0.25);
  const test::TinyData data = test::classified_rows(20, 4, 3);
  for (const auto sync :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce}) {
    Trainer trainer(model, world(), {.epochs = 2, .batch_size = 6, .sync = sync});
    struct Look final : Callback {
      void on_step_end(Trainer& trainer, const StepReport&) override {
        beats.push_back(trainer.heartbeat().beats()[trainer.heartbeat().self()]);
      }
      std::vector<Beat> beats;
    };
    const auto look = std::make_shared<Look>();
    trainer.add_callback(look);
    trainer.fit(data.view());
    ASSERT_EQ(look->beats.size(), 8u);
    for (std::size_t step = 0; step < 8; ++step)
      EXPECT_EQ(look->beats[step],
                (Beat{static_cast<std::int64_t>(step), Phase::kOther, look->beats[step].changes}));
  }
}

}  // namespace
}  // namespace lockstep
