#include "distributed/update/allreduce_optimizer.hpp"
#include "distributed/update/sharded_optimizer.hpp"

#include <vector>

#include "src/core/progress_hook.hpp"
#include "src/layers/dense.hpp"
#include "tests/distributed/update/leaf_network.hpp"
#include "tests/distributed/update/leaf_steps.hpp"
#include "tests/support/host_setting.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::all_inputs;
using test::make_step;
using test::world;

constexpr std::int64_t kBucketSizes[] = {1, 16, 40, 64, 100, 250, 1000, 1 << 20};

/// Layers of more than a block, so that several ranks own a shard. SGD, rate 0.01.
Network large_network() {
  return test::leaf_network(130, {90, 70, 3}, "sgd");
}

/// A full batch, a partial one, and one with a single grain.
std::vector<StepPlan> some_plans() {
  const int ranks = world().size();
  return {StepPlan(52, 4, ranks), StepPlan(19, 4, ranks), StepPlan(3, 4, ranks)};
}

std::unique_ptr<DistributedOptimizer> make_distributed(const test::HostSetting& setting,
                                                       Network& model,
                                                       const Communicator& communicator,
                                                       std::int64_t bucket_floats,
                                                       std::span<const StepPlan> plans) {
  return test::make_distributed(setting, model, communicator,
                                {.bucket_floats = bucket_floats, .loss_sums = 3}, plans);
}

class Optimizers : public testing::TestWithParam<test::HostSetting> {
 protected:
  std::unique_ptr<DistributedOptimizer> make(Network& model, std::int64_t bucket_floats) const {
    return make_distributed(GetParam(), model, communicator_, bucket_floats, plans_);
  }
  const Communicator communicator_ = world();
  const std::vector<StepPlan> plans_ = some_plans();
};
constexpr auto kSharded = DistributedOptimizer::Strategy::kSharded;
INSTANTIATE_TEST_SUITE_P(Strategies, Optimizers, testing::ValuesIn(test::host_settings()),
                         [](const auto& setting) { return setting.param.name; });

TEST_P(Optimizers, AddsUpByTheTreeWhateverTheNumberOfRanks) {
  for (const std::int64_t size : {1, 7000, 1 << 20}) {
    Network model = large_network();
    model.initialize(1);
    communicator_.broadcast(model.arena().values());
    const auto optimizer = make(model, size);
    std::vector<float> expected(model.arena().values().begin(), model.arena().values().end());
    std::uint32_t step = 0;
    for (int round = 0; round < 2; ++round)
      for (std::size_t which = 0; which < plans_.size(); ++which) {
        const std::vector<double> totals = make_step(*optimizer, plans_, which, ++step);
        const Range all{0, plans_[which].grains()};
        for (std::size_t i = 0; i < totals.size(); ++i)
          ASSERT_EQ(totals[i], test::tree_value<double>(step, all, i));
        float sums[61];
        for (std::size_t i = 0; i < 61; ++i) sums[i] = test::tree_value<float>(step, all, i);
        for (const Parameter* parameter : model.arena().parameters())
          for (std::size_t i = 0; i < parameter->value.size(); ++i) {
            float& value = expected[static_cast<std::size_t>(parameter->offset) + i];
            value -= 0.01f * sums[i % 61];
            ASSERT_EQ(parameter->value[i], value) << "float " << i << ", bucket " << size;
          }
      }
  }
}

TEST_P(Optimizers, TellsAllRanksWhatAnyRequests) {
  Network model = test::leaf_network(6, {5, 7, 9, 3}, "sgd");
  const auto optimizer = make(model, 7000);
  std::uint32_t step = 0;
  for (std::size_t which = 0; which < plans_.size(); ++which)  // the last ones leave ranks idle
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      optimizer->request(communicator_.rank() == rank ? kStopRequest : 0);
      make_step(*optimizer, plans_, which, ++step);
      EXPECT_EQ(optimizer->requests(), kStopRequest) << "of rank " << rank;
      optimizer->request(0);
      make_step(*optimizer, plans_, which, ++step);
      EXPECT_EQ(optimizer->requests(), 0u);
    }
}

TEST_P(Optimizers, LeavesEqualReplicasInTheModelsOwnMemory) {
  for (const std::int64_t size : kBucketSizes) {
    Network model = test::leaf_network(6, {5, 7, 9, 3}, "sgd");
    std::string during;
    {
      const auto optimizer = make(model, size);
      make_step(*optimizer, plans_, 0, 1);
      EXPECT_NO_THROW(optimizer->check_replicas("after step 1"));
      during = model.weights_sha256();
      EXPECT_EQ(model.optimizer().iterations(), 1);
    }
    EXPECT_EQ(model.weights_sha256(), during);
    EXPECT_EQ(model.arena().values().data(), model.arena().own_values().data());
    test::expect_same_everywhere(communicator_, during);
  }
}

TEST_P(Optimizers, HoldsTheWholeStateOnceOrOnEveryRank) {
  Network model = test::leaf_network(200, {90, 3}, "adam");  // Adam: two slots
  const auto optimizer = make(model, 7000);
  const std::int64_t whole = 2 * model.arena().trainable_size();
  const std::int64_t copies =
      GetParam().strategy == DistributedOptimizer::Strategy::kAllreduce ? communicator_.size() : 1;
  EXPECT_EQ(communicator_.all_sum(optimizer->slot_floats()), copies * whole);
}

TEST(ShardedOptimizer, HoldsAtMostThreeTenthsOfTheStateOnEachOfFourRanks) {
  const Communicator communicator = world();
  if (communicator.size() != 4) GTEST_SKIP() << "of four ranks";
  const auto reference_network = [] {
    Sequential model;
    for (const std::int64_t units : {64, 32, 10}) model.add(std::make_unique<Dense>(units));
    model.build({784});
    model.compile("adam", "mse", {});
    return model;
  };
  Network alone = reference_network();
  const Communicator self = test::alone();
  const std::vector<StepPlan> plan_alone{StepPlan(32, 8, 1)};
  const double whole = static_cast<double>(
      make_distributed({"", kSharded}, alone, self, 1 << 20, plan_alone)->slot_floats());
  EXPECT_GE(whole, 2 * 52'650);
  const std::vector<StepPlan> plans{StepPlan(32, 8, 4)};
  for (const int per_host : {1, 2, 4}) {
    Network model = reference_network();
    const auto optimizer =
        make_distributed({"", kSharded, per_host}, model, communicator, 1 << 20, plans);
    EXPECT_LE(static_cast<double>(optimizer->slot_floats()), 0.3 * whole)
        << per_host << " on a host";
  }
}

TEST(AllreduceOptimizer, SendsEachSubtreeToTheOwnersAndEachSumToAll) {
  const Communicator communicator = world();
  Network model = large_network();
  const std::vector<StepPlan> plans{StepPlan(52, 4, communicator.size())};
  AllreduceOptimizer optimizer(model, communicator, {.bucket_floats = 7000, .loss_sums = 3}, plans);
  for (std::uint32_t step = 0; step < 3; ++step) make_step(optimizer, plans, 0, step);

  const int self = communicator.rank();
  const auto subtrees = static_cast<std::int64_t>(plans[0].subtrees_of(self).size());
  std::int64_t expected = 2 * (communicator.size() - 1);  // loss sums and requests
  for (const Bucket& bucket : plan_buckets(plan_gradients(model.graph(), GradientWay::kRows), 7000))
    for (int other = 0; other < communicator.size(); ++other) {
      if (other == self) continue;
      if (shard_of(bucket.floats, other, communicator.size()).count() > 0) expected += subtrees;
      if (shard_of(bucket.floats, self, communicator.size()).count() > 0) expected += 1;
    }
  EXPECT_EQ(optimizer.traffic().messages, 3 * expected);
}

TEST(ShardedOptimizer, SendsNothingWithinAHost) {
  const Communicator communicator = world();
  Network model = large_network();
  const std::vector<StepPlan> plans = some_plans();
  ShardedOptimizer optimizer(model, communicator, communicator.on_this_host(), {}, plans);
  optimizer.set_up();
  make_step(optimizer, plans, 0, 1);
  EXPECT_EQ(optimizer.traffic().messages, 0);
}

TEST_P(Optimizers, GoesOnDuringLongProductsWhileBucketsTravelBetweenHosts) {
  Network model = test::leaf_network(20, {9, 8, 3}, "sgd");
  const auto optimizer = make(model, 1);
  test::called_hooks() = 0;
  EXPECT_FALSE(ProgressHook::wanted());
  make_step(*optimizer, plans_, 0, 1);
  const bool travel = GetParam().strategy == kSharded && communicator_.size() > GetParam().per_host;
  EXPECT_EQ(test::called_hooks() > 0, travel);
  EXPECT_FALSE(ProgressHook::wanted());
}

TEST(ShardedOptimizer, SendsTwiceTheSharesOfTheOthersBetweenHosts) {
  const Communicator communicator = world();
  const int p = communicator.size();
  if (p == 3) GTEST_SKIP() << "a power of two, so that each rank has one subtree";
  Network model = test::leaf_network(2000, {100, 8}, "sgd");
  const std::vector<StepPlan> plans{StepPlan(64, 8, p)};
  ShardedOptimizer optimizer(model, communicator, communicator.split(communicator.rank()),
                             {.bucket_floats = 50'000}, plans);
  optimizer.set_up();
  for (std::uint32_t step = 0; step < 2; ++step) make_step(optimizer, plans, 0, step);
  const auto bytes = static_cast<double>(optimizer.traffic().bytes) / 2;
  const double gradients = 4.0 * static_cast<double>(model.arena().trainable_size());
  EXPECT_NEAR(bytes, 2.0 * (p - 1) / p * gradients, 0.05 * gradients);
}

TEST_P(Optimizers, AddsTheRegularizersGradientOnceWhateverTheRanks) {
  Network model = test::linear_network(40, "mse", 0.5, "ones", 0.1f);
  model.initialize(0);
  const auto optimizer = make(model, 1);
  optimizer->begin_step(0);
  for (const DistributedOptimizer::Input& input : all_inputs(*optimizer))
    std::ranges::fill(optimizer->workspace().input(input.rows).flat(), 0.0f);
  optimizer->run({.training = true}, [&](const Block&) {
    std::ranges::fill(optimizer->workspace().output_gradient(optimizer->own_input().rows).flat(),
                      0.0f);
  });
  optimizer->finish();  // gradients of the data: 0; of the penalty: 2 * 0.1 * 1
  EXPECT_THAT(model.layers()[0]->parameters()[0].value, testing::Each(testing::FloatEq(0.9f)));
}

TEST_P(Optimizers, GoesOnFromGatheredSlotsAsIfItHadNotStopped) {
  Network whole = test::leaf_network(200, {90, 3}, "adam");
  const auto whole_optimizer = make(whole, 7000);
  for (std::uint32_t step = 0; step < 3; ++step) make_step(*whole_optimizer, plans_, 0, step);
  OptimizerSlots slots = whole_optimizer->gather_slots();
  EXPECT_EQ(slots.size(), communicator_.is_root() ? 2u : 0u);
  slots.resize(2);
  for (auto& slot : slots) {
    slot.resize(static_cast<std::size_t>(whole.arena().trainable_size()));
    communicator_.broadcast(std::span(slot));
  }
  Network resumed = test::leaf_network(200, {90, 3}, "adam");
  std::ranges::copy(whole.arena().values(), resumed.arena().values().begin());
  communicator_.barrier();
  const test::HostSetting other{"", DistributedOptimizer::Strategy::kAllreduce};
  const auto resumed_optimizer = make_distributed(other, resumed, communicator_, 1000, plans_);
  resumed_optimizer->restore_slots(slots);
  resumed.optimizer().set_iterations(3);

  for (std::uint32_t step = 3; step < 6; ++step) {
    make_step(*whole_optimizer, plans_, 1, step);
    make_step(*resumed_optimizer, plans_, 1, step);
  }

  EXPECT_EQ(resumed.weights_sha256(), whole.weights_sha256());
  EXPECT_EQ(resumed_optimizer->gather_slots(), whole_optimizer->gather_slots());
  whole_optimizer->restore_slots(slots);
  EXPECT_EQ(whole_optimizer->gather_slots(), communicator_.is_root() ? slots : OptimizerSlots{});
}

TEST_P(Optimizers, RefusesSlotsThatDoNotFit) {
  Network model = test::classifier(4, 5, 3);
  const auto optimizer = make(model, 100);
  OptimizerSlots slots(
      2, std::vector<float>(static_cast<std::size_t>(model.arena().trainable_size())));
  slots[1].pop_back();
  test::expect_error(ExitCode::kBadData, {"[optimizer]", "floats"},
                     [&] { optimizer->restore_slots(slots); });
  slots.pop_back();
  test::expect_error(ExitCode::kBadData, {"[optimizer] expected 2", "got 1"},
                     [&] { optimizer->restore_slots(slots); });
}

}  // namespace
}  // namespace lockstep
