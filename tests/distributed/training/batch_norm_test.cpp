#include "src/layers/batch_normalization.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "distributed/training/batch_feed.hpp"
#include "distributed/training/loss_sums.hpp"
#include "distributed/update/gradient_ways.hpp"
#include "src/core/hash.hpp"
#include "src/core/random.hpp"
#include "src/layers/activation_layer.hpp"
#include "src/layers/dense.hpp"
#include "src/layers/dropout.hpp"
#include "src/layers/merging.hpp"
#include "tests/support/host_setting.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kClasses = 4;
constexpr std::int64_t kBatch = 24;
constexpr std::int64_t kRows = 2 * kBatch + 13;  // a last batch of 13
constexpr std::int64_t kEpochs = 2;

/// In every batch the rows of a class stand together, far from those of the others.
test::TinyData sorted_rows(std::int64_t features) {
  const RandomStream random(8, Purpose::kSynthetic, 0);
  test::TinyData data{{}, {}, {features}, {}};
  for (std::int64_t row = 0; row < kRows; ++row) {
    const std::int64_t of_class = row % kBatch * kClasses / kBatch;
    data.y.push_back(static_cast<float>(of_class));
    for (std::int64_t i = 0; i < features; ++i) {
      const auto at = static_cast<std::uint64_t>(row * features + i);
      const std::int64_t center = of_class * (1 + i % 3);
      data.x.push_back(static_cast<float>(20 * center) + static_cast<float>(random.normal(at)));
    }
  }
  return data;
}

/// Two normalizations around a residual; `first` stands in front of everything.
Network normalized_network(std::int64_t width, std::unique_ptr<Layer> first,
                           const std::function<void(Network&)>& change = {}) {
  Network model("normalized");
  model.add_layer(std::move(first));                                         // 0
  model.add_layer(std::make_unique<BatchNormalization>());                   // 1
  model.add_layer(std::make_unique<Dense>(width, Activation::kRelu));        // 2
  model.add_layer(std::make_unique<Dropout>(0.3));                           // 3
  model.add_layer(std::make_unique<Merging>(Merge::kAdd));                   // 4
  model.add_layer(std::make_unique<BatchNormalization>());                   // 5
  model.add_layer(std::make_unique<Dense>(kClasses, Activation::kSoftmax));  // 6
  model.connect({{0, {}}, {1, {0}}, {2, {1}}, {3, {2}}, {4, {3, 1}}, {5, {4}}, {6, {5}}}, {6});
  if (change) change(model);
  model.build({width});
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  model.initialize(4);
  return model;
}

/// Gradients of the middle kernel by rows, whatever the host: it is small.
Network narrow_network() {
  return normalized_network(6, std::make_unique<Dropout>(0.1));
}
/// By owners.
Network wide_network() {
  return normalized_network(64, std::make_unique<ActivationLayer>(Activation::kTanh));
}

std::vector<GradientWay> kernel_ways(const Network& model, int host_ranks) {
  std::vector<GradientWay> ways;
  const GradientPlan plan =
      plan_gradients(model.graph(), choose_gradient_ways(model.graph(), host_ranks, kBatch));
  for (const TrainedParameter& trained : plan.parameters)
    if (trained.parameter->name == "kernel") ways.push_back(trained.way);
  return ways;
}

struct Trained {
  std::string weights;         ///< SHA-256, moving statistics included
  std::vector<double> losses;  ///< sums of loss and metric of each step
};

/// As Trainer makes its steps, without shuffling.
Trained train(Network& model, const Communicator& communicator, const test::HostSetting& setting,
              const test::TinyData& data, std::int64_t grain, std::int64_t epochs = kEpochs,
              std::optional<std::int64_t> block_grains = {}) {
  const std::vector<StepPlan> plans{StepPlan(kBatch, grain, communicator.size()),
                                    StepPlan(kRows % kBatch, grain, communicator.size())};
  Trained trained;
  {
    const DistributedOptimizer::Options options{.bucket_floats = 1000,
                                                .loss_sums = loss_sum_count(model.objective()),
                                                .block_grains = block_grains};
    const auto optimizer = test::make_distributed(setting, model, communicator, options, plans);
    BatchFeed feed(data.view(), model.input_scaling(), model, kBatch, false, 0);
    LossSums loss_sums(model.objective());
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
      feed.begin_pass(epoch);
      for (std::int64_t first = 0; first < kRows; first += kBatch) {
        const std::size_t which = first + kBatch > kRows ? 1 : 0;
        const StepPlan& plan = plans[which];
        optimizer->begin_step(which);
        const Targets targets = feed.load(first, first + plan.rows(), *optimizer);
        const Pass pass{.training = true,
                        .seed = 6,
                        .step = model.optimizer().iterations(),
                        .first_row = plan.rows_of(communicator.rank()).first,
                        .batch_rows = plan.rows()};
        optimizer->run(pass, [&](const Block& block) {
          loss_sums.add_up(*optimizer, targets, block, plan.rows());
        });
        const std::span<const double> sums = optimizer->finish();
        trained.losses.insert(trained.losses.end(), sums.begin(), sums.end());
      }
    }
    optimizer->check_replicas("at the end");
  }
  trained.weights = model.weights_sha256();
  return trained;
}

using Make = Network (*)();

/// What one rank alone makes of it; computed once.
const Trained& trained_alone(Make make, const test::TinyData& data, std::int64_t grain) {
  static std::map<std::pair<Make, std::int64_t>, Trained> all;
  const auto found = all.find({make, grain});
  if (found != all.end()) return found->second;
  const Communicator self = test::alone();
  Network model = make();
  return all[{make, grain}] = train(model, self, {"Alone"}, data, grain);
}

std::vector<float> state_of(const Network& model) {
  std::vector<float> state;
  for (const Parameter* parameter : model.arena().parameters())
    if (parameter->role == ParameterRole::kState)
      state.insert(state.end(), parameter->value.begin(), parameter->value.end());
  return state;
}

class BatchNormOverRanks : public testing::TestWithParam<test::HostSetting> {
 protected:
  const Communicator communicator_ = test::world();

  /// Grains of which every rank has some, and so large that ranks have no rows; blocks of one, of
  /// two, and none.
  void expect_what_one_rank_computes(Make make, std::int64_t features) {
    const test::TinyData data = sorted_rows(features);
    struct Size {
      std::int64_t grain;
      std::optional<std::int64_t> block_grains;
    };
    for (const auto& [grain, block_grains] :
         {Size{1, 2}, Size{4, 1}, Size{16, 0}, Size{kBatch, {}}}) {
      SCOPED_TRACE("grain " + std::to_string(grain));
      const Trained& alone = trained_alone(make, data, grain);
      Network model = make();
      const std::vector<float> before = state_of(model);
      const Trained together =
          train(model, communicator_, GetParam(), data, grain, kEpochs, block_grains);
      EXPECT_EQ(together.weights, alone.weights);
      EXPECT_EQ(together.losses, alone.losses);
      const std::vector<float> after = state_of(model);
      ASSERT_EQ(after.size(), before.size());
      for (std::size_t i = 0; i < after.size(); ++i) EXPECT_NE(after[i], before[i]) << i;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Settings, BatchNormOverRanks, testing::ValuesIn(test::host_settings()),
                         [](const auto& setting) { return setting.param.name; });

TEST_P(BatchNormOverRanks, GivesOneRanksBitsWithGradientsByRows) {
  const Network model = narrow_network();
  for (const int host_ranks : {1, 2, 3, 4, 8, 16})
    EXPECT_THAT(kernel_ways(model, host_ranks), testing::Each(GradientWay::kRows));
  expect_what_one_rank_computes(narrow_network, 6);
}

TEST_P(BatchNormOverRanks, GivesOneRanksBitsWithGradientsByOwners) {
  const Network model = wide_network();
  for (const int host_ranks : {2, 3, 4, 8, 16})
    EXPECT_EQ(kernel_ways(model, host_ranks).front(), GradientWay::kOwner);
  expect_what_one_rank_computes(wide_network, 64);
}

/// A channel whose mean is a million deviations from zero, and decides the class.
TEST_P(BatchNormOverRanks, TrainsOnAChannelOfALargeMeanAndASmallDeviation) {
  test::TinyData data{{}, {}, {2}, {1}};
  const RandomStream random(9, Purpose::kSynthetic, 0);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const double z = random.normal(static_cast<std::uint64_t>(row));
    data.x.push_back(static_cast<float>(1e4 + 1e-2 * z));
    data.x.push_back(1);  // whose variance is zero
    data.y.push_back(z > 0 ? 1.0f : 0.0f);
  }
  const auto make = [] {
    BatchNormalization::Options options;
    options.epsilon = 1e-6;
    options.momentum = 0.5;
    Sequential model;
    model.add(std::make_unique<BatchNormalization>(options));
    model.add(std::make_unique<Dense>(8, Activation::kTanh));
    model.add(std::make_unique<BatchNormalization>());
    model.add(std::make_unique<Dense>(1, Activation::kSigmoid));
    model.build({2});
    model.compile({{"class_name", "Adam"}, {"config", {{"learning_rate", 0.05}}}},
                  "binary_crossentropy", nlohmann::ordered_json::array());
    model.initialize(4);
    return model;
  };
  constexpr std::int64_t kManyEpochs = 8;
  Network alone = make(), together = make();
  const Communicator self = test::alone();
  const Trained expected = train(alone, self, {"Alone"}, data, 4, kManyEpochs);
  const Trained trained = train(together, communicator_, GetParam(), data, 4, kManyEpochs);
  EXPECT_EQ(trained.weights, expected.weights);
  EXPECT_EQ(trained.losses, expected.losses);
  for (const double loss : trained.losses) EXPECT_TRUE(std::isfinite(loss));
  for (const float value : together.arena().values()) EXPECT_TRUE(std::isfinite(value));
  const std::size_t last_epoch = trained.losses.size() - 3;  // steps of kBatch, kBatch, 13 rows
  EXPECT_LT(trained.losses[last_epoch], 0.6 * trained.losses[0]);
  const auto& parameters = together.layers()[0]->parameters();
  EXPECT_NEAR(parameters[2].value[0], 1e4, 1e-2);
  EXPECT_NEAR(parameters[3].value[0], 1e-4, 5e-5);
  EXPECT_NEAR(parameters[3].value[1], 0, 1e-6);
}

TEST_P(BatchNormOverRanks, AFrozenOneLeavesItsStatisticsAlone) {
  const auto make = [] {
    Network model = normalized_network(6, std::make_unique<Dropout>(0.1),
                                       [](Network& m) { m.layers()[1]->set_trainable(false); });
    for (const std::size_t statistic : {2u, 3u})
      for (float& value : model.layers()[1]->parameters()[statistic].value) value += 2.5f;
    return model;
  };
  const test::TinyData data = sorted_rows(6);
  Network alone = make(), together = make();
  const Communicator self = test::alone();
  const Trained expected = train(alone, self, {"Alone"}, data, 4);
  const Network before = make();
  const Trained trained = train(together, communicator_, GetParam(), data, 4);
  EXPECT_EQ(trained.weights, expected.weights);
  EXPECT_EQ(trained.losses, expected.losses);
  const auto value = [](const Network& model, std::size_t layer, std::size_t parameter) {
    const auto& values = model.layers()[layer]->parameters()[parameter].value;
    return std::vector<float>(values.begin(), values.end());
  };
  for (std::size_t parameter = 0; parameter < 4; ++parameter) {
    EXPECT_EQ(value(together, 1, parameter), value(before, 1, parameter));
    EXPECT_NE(value(together, 5, parameter), value(before, 5, parameter));
  }
}

}  // namespace
}  // namespace lockstep
