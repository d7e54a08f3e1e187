#include "distributed/update/bucket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "src/graph/gradient_plan.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/model/sequential.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kBucketSizes[] = {1, 16, 40, 64, 100, 250, 1000, 1 << 20};

/// Dense(5), Dropout, Dense(7), Dense(9), Dense(3) on 6 features; one layer may be frozen.
Network deep_network(std::optional<std::size_t> frozen = {}) {
  Sequential model;
  model.add(std::make_unique<Dense>(5, Activation::kRelu));
  model.add(std::make_unique<Dropout>(0.5));
  for (const std::int64_t units : {7, 9, 3}) model.add(std::make_unique<Dense>(units));
  if (frozen) model.layers()[*frozen]->set_trainable(false);
  model.build({6});
  model.compile("sgd", "mse", {});
  return model;
}

std::vector<Bucket> buckets_of(const Network& model, std::int64_t bucket_floats) {
  return plan_buckets(plan_gradients(model.graph(), GradientWay::kRows),
                      model.arena().trainable_size(), bucket_floats);
}

void expect_buckets_cover_everything(const Network& model, std::int64_t bucket_floats) {
  const std::vector<Bucket> buckets = buckets_of(model, bucket_floats);
  ASSERT_FALSE(buckets.empty());
  EXPECT_EQ(buckets.front().floats.last, model.arena().trainable_size());
  EXPECT_EQ(buckets.back().floats.first, 0);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    EXPECT_LT(buckets[i].floats.first, buckets[i].floats.last);
    if (i > 0) {
      EXPECT_EQ(buckets[i].floats.last, buckets[i - 1].floats.first);
      EXPECT_LE(buckets[i].last_op, buckets[i - 1].last_op);
    }
  }
}

TEST(PlanBuckets, HasEveryFloatOnce) {
  const Network model = deep_network();
  for (const std::int64_t size : kBucketSizes) expect_buckets_cover_everything(model, size);
  for (const std::size_t frozen : {0u, 2u, 4u})
    for (const std::int64_t size : kBucketSizes)
      expect_buckets_cover_everything(deep_network(frozen), size);
}

/// The parameters that begin in a bucket.
std::vector<const Parameter*> parameters_in(const Network& model, const Bucket& bucket) {
  std::vector<const Parameter*> found;
  for (const Parameter* parameter : model.arena().parameters())
    if (parameter->trained() && parameter->offset >= bucket.floats.first &&
        parameter->offset < bucket.floats.last)
      found.push_back(parameter);
  return found;
}

TEST(PlanBuckets, LeavesWhenBackwardIsThroughWithItsFirstOp) {
  const Network model = deep_network();
  for (const std::int64_t size : kBucketSizes)
    for (const Bucket& bucket : buckets_of(model, size)) {
      const auto& ops = model.graph().steps();
      std::size_t first_op = 0;
      while (
          std::ranges::find(ops[first_op].op->parameters(), parameters_in(model, bucket).front()) ==
          ops[first_op].op->parameters().end())
        ++first_op;
      EXPECT_EQ(bucket.last_op, first_op);
    }
}

TEST(PlanBuckets, IsLargerThanAskedForOnlyForASingleParameter) {
  const Network model = deep_network();
  for (const std::int64_t size : kBucketSizes)
    for (const Bucket& bucket : buckets_of(model, size))
      EXPECT_TRUE(bucket.floats.count() <= size || parameters_in(model, bucket).size() == 1);
}

TEST(PlanBuckets, NeedsOneForTheSmallestAndOnePerParameterForTheLargestCut) {
  EXPECT_EQ(buckets_of(deep_network(), 1 << 20).size(), 1u);
  EXPECT_EQ(buckets_of(deep_network(), 1).size(), 8u);
}

TEST(PlanBuckets, HasOneEmptyBucketIfEverythingIsFrozen) {
  Sequential model;
  model.add(std::make_unique<Dense>(2));
  model.layers()[0]->set_trainable(false);
  model.build({3});
  const std::vector<Bucket> buckets = buckets_of(model, 100);
  ASSERT_EQ(buckets.size(), 1u);
  EXPECT_EQ(buckets[0].floats, Range{});
  EXPECT_LT(buckets[0].last_op, model.graph().ops());
}

TEST(ShardOf, GivesEveryFloatToOnePartInWholeBlocks) {
  for (const Range floats : {Range{0, 0}, Range{5, 6}, Range{100, 4196}, Range{32, 50000}})
    for (const int parts : {1, 2, 3, 7, 20}) {
      std::int64_t next = floats.first;
      for (int part = 0; part < parts; ++part) {
        const Range shard = shard_of(floats, part, parts);
        EXPECT_NEAR(static_cast<double>(shard.count()), static_cast<double>(floats.count()) / parts,
                    256);
        if (shard.count() == 0) continue;
        EXPECT_EQ(shard.first, next);
        EXPECT_TRUE(shard.last == floats.last || shard.count() % 256 == 0);
        next = shard.last;
      }
      EXPECT_EQ(next, floats.last);
    }
}

}  // namespace
}  // namespace lockstep
