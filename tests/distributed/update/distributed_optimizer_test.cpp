#include "distributed/update/allreduce_optimizer.hpp"
#include "distributed/update/sharded_optimizer.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "src/core/progress_hook.hpp"
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
  return plan_buckets(plan_gradients(model.graph(), GradientWay::kRows), bucket_floats);
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

/// What the grain `leaf` adds to number i; the order of additions shows in the bits.
float leaf_value(std::uint32_t step, std::int64_t leaf, std::size_t i) {
  return static_cast<float>(
      RandomStream(9, Purpose::kSynthetic, step, static_cast<std::uint32_t>(leaf)).normal(i % 61));
}

template <class T>
T tree_value(std::uint32_t step, Range subtree, std::size_t i) {
  if (subtree.count() == 1) return static_cast<T>(leaf_value(step, subtree.first, i));
  const std::int64_t split = tree_split(subtree);
  return tree_value<T>(step, {subtree.first, split}, i) +
         tree_value<T>(step, {split, subtree.last}, i);
}

/// Looks like Dense, but a row of its input is (step, leaf, ...), and its gradients are the sums of
/// leaf_value over the leaves of its rows: so that they tell from which rows they were made.
class LeafOp final : public Op {
 public:
  LeafOp(Parameter& kernel, Parameter& bias) : parameters_{&kernel, &bias} {}
  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = false, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass&, const OpValues& values) const override {
    for (std::int64_t row = 0; row < values.rows(); ++row)
      std::copy_n(values.x().row(row), 2, values.y().row(row));
  }
  void backward(const Pass&, const OpValues&) const override {
    called_hooks += ProgressHook::wanted() ? 1 : 0;
    ProgressHook::run();  // as long products do
  }
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override {
    const ConstMatrix x = values.x();
    for (const Range& rows : subtrees.samples) {
      const auto leaf = [&](std::int64_t row) { return static_cast<std::int64_t>(x.row(row)[1]); };
      for (std::int64_t row = rows.first; row < rows.last; ++row)
        EXPECT_EQ(leaf(row), leaf(rows.first) + (row - rows.first) / subtrees.grain);
      const auto step = static_cast<std::uint32_t>(x.row(rows.first)[0]);
      float period[61];
      for (std::size_t i = 0; i < 61; ++i)
        period[i] = tree_value<float>(step, {leaf(rows.first), leaf(rows.last - 1) + 1}, i);
      for (std::int64_t i = elements.first; i < elements.last; ++i)
        out[i - elements.first] = period[i % 61];
      out += subtrees.stride;
    }
  }

  static int called_hooks;

 private:
  std::vector<Parameter*> parameters_;
};
int LeafOp::called_hooks = 0;

class LeafSums final : public Layer {
 public:
  explicit LeafSums(std::int64_t units) : units_(units) {}
  std::string class_name() const override { return "LeafSums"; }
  nlohmann::ordered_json config() const override { return {}; }

 private:
  void build(const Shape& input) override {
    const auto initializer = make_initializer(std::string("glorot_uniform"));
    parameters_.push_back({.name = "kernel",
                           .shape = {input.back(), units_},
                           .initializer = initializer,
                           .regularizer = {}});
    parameters_.push_back(
        {.name = "bias", .shape = {units_}, .initializer = initializer, .regularizer = {}});
  }
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    return graph.add(std::make_unique<LeafOp>(parameters_[0], parameters_[1]), {inputs[0]},
                     {units_});
  }

  std::int64_t units_;
};

Network leaf_network(std::int64_t features, std::initializer_list<std::int64_t> units,
                     const std::string& optimizer) {
  Sequential model;
  for (const std::int64_t n : units) model.add(std::make_unique<LeafSums>(n));
  model.build({features});
  model.compile(optimizer, "mse", {});
  return model;
}

/// Layers of more than a block, so that several ranks own a shard. SGD, rate 0.01.
Network large_network() {
  return leaf_network(130, {90, 70, 3}, "sgd");
}

std::vector<DistributedOptimizer::Input> all_inputs(const DistributedOptimizer& optimizer) {
  const auto others = optimizer.other_inputs();
  std::vector<DistributedOptimizer::Input> inputs(others.begin(), others.end());
  inputs.push_back(optimizer.own_input());
  return inputs;
}

/// One step as the trainer makes it, of a leaf_network, by plans[which].
std::vector<double> make_step(DistributedOptimizer& optimizer, std::span<const StepPlan> plans,
                              std::size_t which, std::uint32_t step) {
  const StepPlan& plan = plans[which];
  const int rank = world().rank();
  optimizer.begin_step(which);
  for (const DistributedOptimizer::Input& input : all_inputs(optimizer)) {
    const Matrix x = optimizer.workspace().input(input.rows);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      x.row(i)[0] = static_cast<float>(step);
      x.row(i)[1] = static_cast<float>((input.batch_rows.first + i) / plan.grain());
    }
  }
  optimizer.run({.training = true}, [&](const Block& block) {
    for (std::size_t i = 0; i < block.subtrees; ++i) {
      const std::size_t subtree = block.first_subtree + i;
      const std::span<double> loss_sums = optimizer.loss_sums(subtree);
      for (std::size_t k = 0; k < loss_sums.size(); ++k)
        loss_sums[k] = tree_value<double>(step, plan.subtrees_of(rank)[subtree], k);
    }
  });
  const std::span<const double> totals = optimizer.finish();
  return {totals.begin(), totals.end()};
}

/// A full batch, a partial one, and one with a single grain.
std::vector<StepPlan> some_plans() {
  const int ranks = world().size();
  return {StepPlan(52, 4, ranks), StepPlan(19, 4, ranks), StepPlan(3, 4, ranks)};
}

/// The strategy, and for kSharded how the ranks lie on hosts: ranks / per_host, or by turns.
struct Setting {
  const char* name;
  DistributedOptimizer::Strategy strategy;
  int per_host = 100;
  bool by_turns = false;
};

std::unique_ptr<DistributedOptimizer> make_distributed(const Setting& setting, Network& model,
                                                       const Communicator& communicator,
                                                       std::int64_t bucket_floats,
                                                       std::span<const StepPlan> plans) {
  const DistributedOptimizer::Options options{.bucket_floats = bucket_floats, .loss_sums = 3};
  std::unique_ptr<DistributedOptimizer> optimizer;
  if (setting.strategy == DistributedOptimizer::Strategy::kAllreduce) {
    optimizer = std::make_unique<AllreduceOptimizer>(model, communicator, options, plans);
  } else {
    const int hosts = (communicator.size() + setting.per_host - 1) / setting.per_host;
    const int host =
        setting.by_turns ? communicator.rank() % hosts : communicator.rank() / setting.per_host;
    optimizer = std::make_unique<ShardedOptimizer>(model, communicator, communicator.split(host),
                                                   options, plans);
  }
  optimizer->set_up();
  return optimizer;
}

class Optimizers : public testing::TestWithParam<Setting> {
 protected:
  std::unique_ptr<DistributedOptimizer> make(Network& model, std::int64_t bucket_floats) const {
    return make_distributed(GetParam(), model, communicator_, bucket_floats, plans_);
  }
  const Communicator communicator_ = world();
  const std::vector<StepPlan> plans_ = some_plans();
};
constexpr auto kSharded = DistributedOptimizer::Strategy::kSharded;
INSTANTIATE_TEST_SUITE_P(
    Strategies, Optimizers,
    testing::Values(Setting{"Allreduce", DistributedOptimizer::Strategy::kAllreduce},
                    Setting{"OneHost", kSharded}, Setting{"HostsOfOne", kSharded, 1},
                    Setting{"HostsOfTwo", kSharded, 2}, Setting{"HostsOfThree", kSharded, 3},
                    Setting{"HostsOfTwoByTurns", kSharded, 2, true}),
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
          ASSERT_EQ(totals[i], tree_value<double>(step, all, i));
        float sums[61];
        for (std::size_t i = 0; i < 61; ++i) sums[i] = tree_value<float>(step, all, i);
        for (const Parameter* parameter : model.arena().parameters())
          for (std::size_t i = 0; i < parameter->value.size(); ++i) {
            float& value = expected[static_cast<std::size_t>(parameter->offset) + i];
            value -= 0.01f * sums[i % 61];
            ASSERT_EQ(parameter->value[i], value) << "float " << i << ", bucket " << size;
          }
      }
  }
}

TEST_P(Optimizers, LeavesEqualReplicasInTheModelsOwnMemory) {
  for (const std::int64_t size : kBucketSizes) {
    Network model = leaf_network(6, {5, 7, 9, 3}, "sgd");
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
  Network model = leaf_network(200, {90, 3}, "adam");  // Adam: two slots
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
  std::int64_t expected = communicator.size() - 1;  // the loss sums
  for (const Bucket& bucket : buckets_of(model, 7000))
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
  Network model = leaf_network(20, {9, 8, 3}, "sgd");
  const auto optimizer = make(model, 1);
  LeafOp::called_hooks = 0;
  EXPECT_FALSE(ProgressHook::wanted());
  make_step(*optimizer, plans_, 0, 1);
  const bool travel = GetParam().strategy == kSharded && communicator_.size() > GetParam().per_host;
  EXPECT_EQ(LeafOp::called_hooks > 0, travel);
  EXPECT_FALSE(ProgressHook::wanted());
}

TEST(ShardedOptimizer, SendsTwiceTheSharesOfTheOthersBetweenHosts) {
  const Communicator communicator = world();
  const int p = communicator.size();
  if (p == 3) GTEST_SKIP() << "a power of two, so that each rank has one subtree";
  Network model = leaf_network(2000, {100, 8}, "sgd");
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
  Network whole = leaf_network(200, {90, 3}, "adam");
  const auto whole_optimizer = make(whole, 7000);
  for (std::uint32_t step = 0; step < 3; ++step) make_step(*whole_optimizer, plans_, 0, step);
  OptimizerSlots slots = whole_optimizer->gather_slots();
  EXPECT_EQ(slots.size(), communicator_.is_root() ? 2u : 0u);
  slots.resize(2);
  for (auto& slot : slots) {
    slot.resize(static_cast<std::size_t>(whole.arena().trainable_size()));
    communicator_.broadcast(std::span(slot));
  }
  Network resumed = leaf_network(200, {90, 3}, "adam");
  std::ranges::copy(whole.arena().values(), resumed.arena().values().begin());
  communicator_.barrier();
  const Setting other{"", DistributedOptimizer::Strategy::kAllreduce};
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
