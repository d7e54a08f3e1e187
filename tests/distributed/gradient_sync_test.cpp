#include "distributed/gradient_sync.hpp"

#include <optional>
#include <vector>

#include "src/core/random.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::world;

constexpr std::int64_t kBucketSizes[] = {1, 16, 40, 64, 100, 250, 1000, 1 << 20};

/// Dense(5), Dropout, Dense(7), Dense(9), Dense(3) on 6 features; one layer may be frozen.
Sequential deep_network(std::optional<std::size_t> frozen = {}) {
  Sequential model;
  model.add(std::make_unique<Dense>(5, Activation::kRelu));
  model.add(std::make_unique<Dropout>(0.5));
  for (const std::int64_t units : {7, 9, 3}) model.add(std::make_unique<Dense>(units));
  if (frozen) model.layers()[*frozen]->set_trainable(false);
  model.build({6});
  model.compile("sgd", "mse", {});
  return model;
}

void expect_buckets_cover_everything(const Sequential& model, std::int64_t bucket_floats) {
  const std::vector<Bucket> buckets = plan_buckets(model, bucket_floats);
  ASSERT_FALSE(buckets.empty());
  EXPECT_EQ(buckets.front().floats.last, model.arena().trainable_size());
  EXPECT_EQ(buckets.back().floats.first, 0);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    EXPECT_LT(buckets[i].floats.first, buckets[i].floats.last);
    if (i > 0) {
      EXPECT_EQ(buckets[i].floats.last, buckets[i - 1].floats.first);
      EXPECT_LT(buckets[i].last_layer, buckets[i - 1].last_layer);
    }
  }
}

TEST(PlanBuckets, HasEveryFloatOnce) {
  const Sequential model = deep_network();
  for (const std::int64_t size : kBucketSizes) expect_buckets_cover_everything(model, size);
  for (const std::size_t frozen : {0u, 2u, 4u})
    for (const std::int64_t size : kBucketSizes)
      expect_buckets_cover_everything(deep_network(frozen), size);
}

TEST(PlanBuckets, CutsBetweenLayers) {
  const Sequential model = deep_network();
  for (const std::int64_t size : kBucketSizes)
    for (const Bucket& bucket : plan_buckets(model, size))
      EXPECT_EQ(bucket.floats.first,
                model.layers()[bucket.last_layer]->parameters().front().offset);
}

TEST(PlanBuckets, IsLargerThanAskedForOnlyForASingleLayer) {
  const Sequential model = deep_network();
  for (const std::int64_t size : kBucketSizes)
    for (const Bucket& bucket : plan_buckets(model, size)) {
      std::int64_t layers = 0;
      for (const auto& layer : model.layers())
        if (!layer->parameters().empty()) {
          const std::int64_t first = layer->parameters().front().offset;
          if (first >= bucket.floats.first && first < bucket.floats.last) ++layers;
        }
      EXPECT_TRUE(bucket.floats.count() <= size || layers == 1) << size;
    }
}

TEST(PlanBuckets, NeedsOneForTheSmallestAndOnePerLayerForTheLargestCut) {
  EXPECT_EQ(plan_buckets(deep_network(), 1 << 20).size(), 1u);
  EXPECT_EQ(plan_buckets(deep_network(), 1).size(), 4u);
}

TEST(PlanBuckets, HasOneEmptyBucketIfEverythingIsFrozen) {
  Sequential model;
  model.add(std::make_unique<Dense>(2));
  model.layers()[0]->set_trainable(false);
  model.build({3});
  const std::vector<Bucket> buckets = plan_buckets(model, 100);
  ASSERT_EQ(buckets.size(), 1u);
  EXPECT_EQ(buckets[0].floats, Range{});
  EXPECT_LT(buckets[0].last_layer, model.layers().size());
}

TEST(SliceOf, GivesEveryFloatToOnePartInWholeBlocks) {
  for (const Range floats : {Range{0, 0}, Range{5, 6}, Range{100, 4196}, Range{32, 50000}})
    for (const int parts : {1, 2, 3, 7, 20}) {
      std::int64_t next = floats.first;
      for (int part = 0; part < parts; ++part) {
        const Range slice = slice_of(floats, part, parts);
        if (slice.count() == 0) continue;
        EXPECT_EQ(slice.first, next);
        EXPECT_TRUE(slice.last == floats.last || slice.count() % 4096 == 0);
        next = slice.last;
      }
      EXPECT_EQ(next, floats.last);
    }
}

/// Layers of more than a block, so that several ranks own a slice.
Sequential large_network() {
  Sequential model;
  for (const std::int64_t units : {90, 70, 3}) model.add(std::make_unique<Dense>(units));
  model.build({130});
  model.compile("sgd", "mse", {});
  return model;
}

/// What the grain `leaf` adds to number i; the order of additions shows in the bits.
float leaf_value(std::uint32_t step, std::int64_t leaf, std::size_t i) {
  return static_cast<float>(
      RandomStream(9, Purpose::kSynthetic, step, static_cast<std::uint32_t>(leaf)).normal(i % 61));
}

template <class T>
T tree_value(std::uint32_t step, Range node, std::size_t i) {
  if (node.count() == 1) return static_cast<T>(leaf_value(step, node.first, i));
  const std::int64_t split = tree_split(node);
  return tree_value<T>(step, {node.first, split}, i) + tree_value<T>(step, {split, node.last}, i);
}

/// One step as the trainer makes it: every rank computes the nodes of its grains; layers report
/// from the last to the first.
std::vector<double> make_step(Sequential& model, GradientSync& sync, const StepPlan& plan,
                              std::uint32_t step) {
  const int rank = world().rank();
  sync.begin_step(plan);
  const GradientNodes nodes = sync.nodes();
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    const std::span<double> statistics = sync.node_statistics(node);
    for (std::size_t i = 0; i < statistics.size(); ++i)
      statistics[i] = tree_value<double>(step, plan.nodes_of(rank)[node], i);
  }
  for (std::size_t layer = model.layers().size(); layer-- > 0;) {
    for (const Parameter& parameter : model.layers()[layer]->parameters()) {
      if (!parameter.trainable) continue;
      for (std::size_t node = 0; node < nodes.size(); ++node) {
        float* gradient =
            parameter.gradient.data() + static_cast<std::int64_t>(node) * nodes.stride;
        float period[61];
        for (std::size_t i = 0; i < 61; ++i)
          period[i] = tree_value<float>(step, plan.nodes_of(rank)[node], i);
        for (std::size_t i = 0; i < parameter.value.size(); ++i) gradient[i] = period[i % 61];
      }
    }
    sync.layer_done(layer);
  }
  const std::span<const double> totals = sync.finish();
  return {totals.begin(), totals.end()};
}

/// A full batch, a partial one, and one with a single grain.
std::vector<StepPlan> some_plans() {
  const int ranks = world().size();
  return {StepPlan(52, 4, ranks), StepPlan(19, 4, ranks), StepPlan(3, 4, ranks)};
}

class Sync : public testing::TestWithParam<bool> {
 protected:
  GradientSync::Options options(std::int64_t bucket_floats) const {
    return {.bucket_floats = bucket_floats, .overlap = GetParam(), .statistics = 3};
  }
  const Communicator communicator_ = world();
  const std::vector<StepPlan> plans_ = some_plans();
};
INSTANTIATE_TEST_SUITE_P(WithoutAndWithOverlap, Sync, testing::Bool());

TEST_P(Sync, AddsUpByTheTreeWhateverTheNumberOfRanks) {
  for (const std::int64_t size : {1, 7000, 1 << 20}) {
    Sequential model = large_network();
    GradientSync sync(model, communicator_, options(size), plans_);
    std::uint32_t step = 0;
    for (const StepPlan& plan : plans_) {
      const std::vector<double> totals = make_step(model, sync, plan, ++step);
      const Range all{0, plan.grains()};
      for (std::size_t i = 0; i < totals.size(); ++i)
        EXPECT_EQ(totals[i], tree_value<double>(step, all, i));
      for (const Parameter* parameter : model.arena().parameters())
        for (std::size_t i = 0; i < std::min<std::size_t>(61, parameter->gradient.size()); ++i) {
          const float expected = tree_value<float>(step, all, i);
          for (std::size_t j = i; j < parameter->gradient.size(); j += 61)
            ASSERT_EQ(parameter->gradient[j], expected) << "float " << j << ", bucket " << size;
        }
    }
  }
}

TEST_P(Sync, UpdatesEveryParameterOnce) {
  for (const std::int64_t size : kBucketSizes) {
    Sequential model = deep_network();  // SGD, rate 0.01, from weights 0
    GradientSync sync(model, communicator_, options(size), plans_);
    make_step(model, sync, plans_[0], 1);
    for (const Parameter* parameter : model.arena().parameters())
      for (std::size_t i = 0; i < parameter->value.size(); ++i)
        ASSERT_EQ(parameter->value[i], -0.01f * parameter->gradient[i]);
    EXPECT_EQ(model.optimizer().iterations(), 1);
    test::expect_same_everywhere(communicator_, model.weights_sha256());
  }
}

TEST_P(Sync, SendsEachNodeToTheOwnersAndEachSumToAll) {
  Sequential model = large_network();
  const std::vector<StepPlan> plans{StepPlan(52, 4, communicator_.size())};
  GradientSync sync(model, communicator_, options(7000), plans);
  for (std::uint32_t step = 0; step < 3; ++step) make_step(model, sync, plans[0], step);

  const int self = communicator_.rank();
  const auto nodes = static_cast<std::int64_t>(plans[0].nodes_of(self).size());
  std::int64_t expected = communicator_.size() - 1;  // the statistics
  for (const Bucket& bucket : plan_buckets(model, 7000))
    for (int other = 0; other < communicator_.size(); ++other) {
      if (other == self) continue;
      if (slice_of(bucket.floats, other, communicator_.size()).count() > 0) expected += nodes;
      if (slice_of(bucket.floats, self, communicator_.size()).count() > 0) expected += 1;
    }
  EXPECT_EQ(sync.messages_sent(), 3 * expected);
}

TEST_P(Sync, AddsTheRegularizersGradientOnceWhateverTheRanks) {
  Sequential model = test::linear_network(40, "mse", 0.5, "ones", 0.1f);
  model.initialize(0);
  GradientSync sync(model, communicator_, options(1), plans_);
  sync.begin_step(plans_[0]);
  sync.layer_done(0);
  sync.finish();  // gradients of the data: 0; of the penalty: 2 * 0.1 * 1
  EXPECT_THAT(model.layers()[0]->parameters()[0].value, testing::Each(testing::FloatEq(0.9f)));
}

TEST(GradientSync, LeavesNoGradientsBehind) {
  const Communicator communicator = world();
  Sequential model = deep_network();
  const std::vector<StepPlan> plans = some_plans();
  { const GradientSync sync(model, communicator, {}, plans); }
  EXPECT_TRUE(model.arena().gradients().empty());
  EXPECT_TRUE(model.layers()[0]->parameters()[0].gradient.empty());
}

TEST(GradientSync, GoesOnFromGatheredSlotsAsIfItHadNotStopped) {
  const Communicator communicator = world();
  const std::vector<StepPlan> plans = some_plans();
  Sequential whole = test::classifier(4, 5, 3);
  GradientSync whole_sync(whole, communicator, {.bucket_floats = 20}, plans);
  for (std::uint32_t step = 0; step < 3; ++step) make_step(whole, whole_sync, plans[0], step);
  const OptimizerSlots slots = whole_sync.gather_slots();
  Sequential resumed = test::classifier(4, 5, 3);
  GradientSync resumed_sync(resumed, communicator, {.bucket_floats = 1000}, plans);

  resumed_sync.restore_slots(slots);
  resumed.optimizer().set_iterations(3);
  std::ranges::copy(whole.arena().values(), resumed.arena().values().begin());
  for (std::uint32_t step = 3; step < 6; ++step) {
    make_step(whole, whole_sync, plans[1], step);
    make_step(resumed, resumed_sync, plans[1], step);
  }

  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(resumed.weights_sha256(), whole.weights_sha256());
  EXPECT_EQ(resumed_sync.gather_slots(), whole_sync.gather_slots());
}

TEST(GradientSync, RefusesSlotsThatDoNotFit) {
  const Communicator communicator = world();
  const std::vector<StepPlan> plans = some_plans();
  Sequential model = test::classifier(4, 5, 3);
  GradientSync sync(model, communicator, {}, plans);
  OptimizerSlots slots = sync.gather_slots();
  slots[1].pop_back();
  test::expect_error(ExitCode::kBadData, {"[sync]", "floats"}, [&] { sync.restore_slots(slots); });
  slots.pop_back();
  test::expect_error(ExitCode::kBadData, {"[sync] expected 2", "got 1"},
                     [&] { sync.restore_slots(slots); });
}

}  // namespace
}  // namespace lockstep
