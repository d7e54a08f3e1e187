#include "distributed/update/step_profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "distributed/training/trainer.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::this_thread::sleep_for;
using test::world;

double seconds(const StepProfile& profile, Phase phase) {
  return profile.seconds()[static_cast<std::size_t>(phase)];
}

TEST(StepProfile, CountsTimeForThePhaseThatItIsIn) {
  StepProfile profile;
  profile.start();
  profile.enter(Phase::kForward);
  sleep_for(milliseconds(2));
  {
    const InPhase inner(&profile, Phase::kUpdate);
    sleep_for(milliseconds(3));
  }
  EXPECT_EQ(profile.enter(Phase::kOther), Phase::kForward);
  profile.pause();
  EXPECT_GE(seconds(profile, Phase::kForward), 0.002);
  EXPECT_GE(seconds(profile, Phase::kUpdate), 0.003);
  EXPECT_EQ(seconds(profile, Phase::kBackward), 0);
}

TEST(StepProfile, CountsNothingWhileItIsOff) {
  StepProfile profile;
  profile.enter(Phase::kForward);
  sleep_for(milliseconds(2));
  profile.count_step();
  profile.pause();
  EXPECT_THAT(profile.seconds(), testing::Each(0));
  EXPECT_EQ(profile.steps(), 0);

  profile.start();
  profile.pause();
  profile.enter(Phase::kForward);
  sleep_for(milliseconds(2));
  profile.enter(Phase::kOther);
  EXPECT_EQ(seconds(profile, Phase::kForward), 0);
}

TEST(StepProfile, IsGatheredFromAllRanks) {
  const Communicator ranks = world();
  const int slow = ranks.size() - 1;
  StepProfile profile;
  profile.start();
  profile.enter(Phase::kData);
  if (ranks.rank() == slow) sleep_for(milliseconds(200));
  profile.count_step();
  profile.count_step();
  profile.pause();
  const ProfileReport report = gather_profiles(profile, ranks);
  EXPECT_EQ(report.steps, 2);
  const ProfileReport::Line& data = report.phases[static_cast<std::size_t>(Phase::kData)];
  EXPECT_EQ(data.slowest_rank, slow);
  EXPECT_GE(data.longest, 0.1);
  EXPECT_GE(data.mean, 0.1 / ranks.size());
  EXPECT_LE(data.mean, data.longest);
  EXPECT_GE(report.step_seconds, data.mean);
}

TEST(StepProfile, CoversTheStepsOfATraining) {
  const test::TinyData data = test::classified_rows(29, 4, 3);
  for (const auto sync :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce}) {
    Network model = test::classifier(4, 7, 3);
    Trainer trainer(model, world(), {.epochs = 2, .batch_size = 5, .sync = sync, .profile = true});
    const History history = trainer.fit(data.view());
    const ProfileReport report = trainer.profile();
    EXPECT_EQ(report.steps, 12);
    double sum = 0;
    for (const ProfileReport::Line& line : report.phases) {
      EXPECT_GT(line.mean, 0);
      sum += line.mean;
    }
    EXPECT_DOUBLE_EQ(sum, report.step_seconds);
  }
}

TEST(StepProfile, IsEmptyUnlessItIsAskedFor) {
  const test::TinyData data = test::classified_rows(29, 4, 3);
  Network model = test::classifier(4, 7, 3);
  Trainer trainer(model, world(), {.batch_size = 5});
  trainer.fit(data.view());
  EXPECT_EQ(trainer.profile().steps, 0);
  EXPECT_EQ(trainer.profile().step_seconds, 0);
}

}  // namespace
}  // namespace lockstep
