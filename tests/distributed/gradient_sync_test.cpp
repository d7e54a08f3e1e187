#include "distributed/gradient_sync.hpp"

#include <limits>
#include <optional>

#include "src/core/random.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::world;
using Overlap = GradientSync::Overlap;

constexpr std::int64_t kHeader = ParameterArena::kHeader;
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

std::int64_t floats_to_send(const Sequential& model) {
  return kHeader + model.arena().trainable_size();
}

void expect_buckets_cover_everything(const Sequential& model, std::int64_t bucket_floats) {
  const std::vector<Bucket> buckets = plan_buckets(model, bucket_floats);
  ASSERT_FALSE(buckets.empty());
  EXPECT_EQ(buckets.front().last, floats_to_send(model));
  EXPECT_EQ(buckets.back().first, 0);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    EXPECT_LT(buckets[i].first, buckets[i].last);
    if (i > 0) {
      EXPECT_EQ(buckets[i].last, buckets[i - 1].first);
      EXPECT_LT(buckets[i].last_layer, buckets[i - 1].last_layer);
    }
  }
}

TEST(PlanBuckets, HasEveryFloatOnceAndTheHeaderInTheLastBucket) {
  const Sequential model = deep_network();
  for (const std::int64_t size : kBucketSizes) expect_buckets_cover_everything(model, size);
  for (const std::size_t frozen : {0u, 2u, 4u})
    for (const std::int64_t size : kBucketSizes)
      expect_buckets_cover_everything(deep_network(frozen), size);
}

TEST(PlanBuckets, CutsBetweenLayers) {
  const Sequential model = deep_network();
  for (const std::int64_t size : kBucketSizes) {
    std::vector<Bucket> buckets = plan_buckets(model, size);
    buckets.back().first += kHeader;
    for (const Bucket& bucket : buckets) {
      const Layer& layer = *model.layers()[bucket.last_layer];
      EXPECT_EQ(bucket.first, kHeader + layer.parameters().front().offset);
    }
  }
}

TEST(PlanBuckets, IsLargerThanAskedForOnlyForASingleLayer) {
  const Sequential model = deep_network();
  for (const std::int64_t size : kBucketSizes) {
    std::vector<Bucket> buckets = plan_buckets(model, size);
    buckets.back().first += kHeader;
    for (const Bucket& bucket : buckets) {
      std::int64_t layers = 0;
      for (const auto& layer : model.layers())
        if (!layer->parameters().empty()) {
          const std::int64_t first = kHeader + layer->parameters().front().offset;
          if (first >= bucket.first && first < bucket.last) ++layers;
        }
      EXPECT_TRUE(bucket.last - bucket.first <= size || layers == 1) << size;
    }
  }
}

TEST(PlanBuckets, NeedsOneForTheSmallestAndOnePerLayerForTheLargestCut) {
  EXPECT_EQ(plan_buckets(deep_network(), 1 << 20).size(), 1u);
  EXPECT_EQ(plan_buckets(deep_network(), 1).size(), 4u);
}

TEST(PlanBuckets, SendsTheHeaderAloneIfEverythingIsFrozen) {
  Sequential model;
  model.add(std::make_unique<Dense>(2));
  model.layers()[0]->set_trainable(false);
  model.build({3});
  const std::vector<Bucket> buckets = plan_buckets(model, 100);
  ASSERT_EQ(buckets.size(), 1u);
  EXPECT_EQ(buckets[0].first, 0);
  EXPECT_EQ(buckets[0].last, kHeader);
  EXPECT_LT(buckets[0].last_layer, model.layers().size());
}

/// One step as the trainer makes it: layers report from the last to the first.
void finish_step(const Sequential& model, GradientSync& sync) {
  for (std::size_t layer = model.layers().size(); layer-- > 0;) sync.layer_done(layer);
  sync.finish();
}

/// Gradients and header of one rank: small integers, whose sums are exact.
float small_integer(int rank, std::size_t i) {
  return static_cast<float>((rank + 1) * (static_cast<int>(i % 13) - 6));
}

class Sync : public testing::TestWithParam<Overlap> {
 protected:
  const Communicator communicator_ = world();
};
INSTANTIATE_TEST_SUITE_P(BothWays, Sync, testing::Values(Overlap::kNone, Overlap::kDuringBackward));

TEST_P(Sync, SumsGradientsAndHeaderOverTheRanks) {
  for (const std::int64_t size : kBucketSizes) {
    Sequential model = deep_network();
    GradientSync sync(model, communicator_, size, GetParam());
    const auto all = model.arena().header_and_gradients();
    std::ranges::fill(all, 1e9f);  // what a bucket that leaves too early would take along

    for (std::size_t i = 0; i < kHeader; ++i) all[i] = small_integer(communicator_.rank(), i);
    for (std::size_t layer = model.layers().size(); layer-- > 0;) {
      for (const Parameter& parameter : model.layers()[layer]->parameters())
        for (std::size_t i = 0; i < parameter.gradient.size(); ++i)
          parameter.gradient[i] = small_integer(communicator_.rank(), i);
      sync.layer_done(layer);
    }
    sync.finish();

    const auto expect_sums = [&](std::span<const float> sums) {
      for (std::size_t i = 0; i < sums.size(); ++i) {
        float expected = 0;
        for (int rank = 0; rank < communicator_.size(); ++rank) expected += small_integer(rank, i);
        ASSERT_EQ(sums[i], expected) << "float " << i << ", bucket " << size;
      }
    };
    expect_sums(model.arena().header());
    for (const Parameter* parameter : model.arena().parameters()) expect_sums(parameter->gradient);
  }
}

TEST_P(Sync, UpdatesEveryParameterOnce) {
  for (const std::int64_t size : kBucketSizes) {
    Sequential model = deep_network();  // SGD, rate 0.01, from weights 0
    GradientSync sync(model, communicator_, size, GetParam());
    for (float& gradient : model.arena().gradients()) gradient = 1;

    finish_step(model, sync);

    const float expected = -0.01f * static_cast<float>(communicator_.size());
    for (const Parameter* parameter : model.arena().parameters())
      EXPECT_THAT(parameter->value, testing::Each(testing::FloatEq(expected)));
    EXPECT_EQ(model.optimizer().iterations(), 1);
  }
}

TEST_P(Sync, SendsOneMessagePerBucketAndStep) {
  for (const std::int64_t size : kBucketSizes) {
    Sequential model = deep_network();
    GradientSync sync(model, communicator_, size, GetParam());
    for (int step = 0; step < 3; ++step) finish_step(model, sync);
    const auto expected = static_cast<std::int64_t>(3 * sync.bucket_count());
    // One rank has nobody to send to, unless it starts non-blocking sums all the same.
    if (communicator_.size() > 1) {
      EXPECT_EQ(sync.messages_started(), expected);
    } else {
      EXPECT_LE(sync.messages_started(), expected);
    }
  }
}

TEST_P(Sync, AddsTheRegularizersGradientOnceWhateverTheRanks) {
  Sequential model = test::linear_network(40, "mse", 0.5, "ones", 0.1f);
  model.initialize(0);
  GradientSync sync(model, communicator_, 1, GetParam());

  finish_step(model, sync);  // gradients of the data: 0; of the penalty: 2 * 0.1 * 1

  EXPECT_THAT(model.layers()[0]->parameters()[0].value, testing::Each(testing::FloatEq(0.9f)));
}

TEST(GradientSync, GivesTheSameBitsWithAndWithoutOverlap) {
  const Communicator communicator = world();
  for (const std::int64_t size : kBucketSizes) {
    std::vector<std::string> hashes;
    for (const Overlap overlap : {Overlap::kNone, Overlap::kDuringBackward}) {
      Sequential model = deep_network();
      model.initialize(1);
      GradientSync sync(model, communicator, size, overlap);
      for (std::uint32_t step = 0; step < 2; ++step) {
        const RandomStream random(9, Purpose::kSynthetic, step,
                                  static_cast<std::uint32_t>(communicator.rank()));
        const auto gradients = model.arena().gradients();
        for (std::size_t i = 0; i < gradients.size(); ++i)
          gradients[i] = static_cast<float>(random.normal(i));
        finish_step(model, sync);
      }
      hashes.push_back(model.weights_sha256());
      test::expect_same_everywhere(communicator, hashes.back());
    }
    EXPECT_EQ(hashes[0], hashes[1]) << "bucket " << size;
  }
}

/// A network with Adam after `steps` steps on random gradients.
void train(Sequential& model, GradientSync& sync, std::uint32_t first, std::uint32_t last) {
  for (std::uint32_t step = first; step < last; ++step) {
    const RandomStream random(5, Purpose::kSynthetic, step);
    const auto gradients = model.arena().gradients();
    for (std::size_t i = 0; i < gradients.size(); ++i)
      gradients[i] = static_cast<float>(random.normal(i));
    finish_step(model, sync);
  }
}

TEST(GradientSync, GoesOnFromGatheredSlotsAsIfItHadNotStopped) {
  const Communicator communicator = world();
  Sequential whole = test::classifier(4, 5, 3);
  GradientSync whole_sync(whole, communicator, 20, Overlap::kNone);
  train(whole, whole_sync, 0, 3);
  const OptimizerSlots slots = whole_sync.gather_slots();
  Sequential resumed = test::classifier(4, 5, 3);
  GradientSync resumed_sync(resumed, communicator, 1000, Overlap::kNone);

  resumed_sync.restore_slots(slots);
  resumed.optimizer().set_iterations(3);
  std::ranges::copy(whole.arena().values(), resumed.arena().values().begin());
  train(whole, whole_sync, 3, 6);
  train(resumed, resumed_sync, 3, 6);

  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(resumed.weights_sha256(), whole.weights_sha256());
  EXPECT_EQ(resumed_sync.gather_slots(), whole_sync.gather_slots());
}

TEST(GradientSync, RefusesSlotsThatDoNotFit) {
  const Communicator communicator = world();
  Sequential model = test::classifier(4, 5, 3);
  GradientSync sync(model, communicator, 100, Overlap::kNone);
  OptimizerSlots slots = sync.gather_slots();
  slots[1].pop_back();
  test::expect_error(ExitCode::kBadData, {"[sync]", "floats"}, [&] { sync.restore_slots(slots); });
  slots.pop_back();
  test::expect_error(ExitCode::kBadData, {"[sync] expected 2", "got 1"},
                     [&] { sync.restore_slots(slots); });
}

}  // namespace
}  // namespace lockstep
