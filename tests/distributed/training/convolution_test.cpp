#include "src/layers/convolution.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "distributed/training/trainer.hpp"
#include "distributed/update/gradient_ways.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using Strategy = DistributedOptimizer::Strategy;
constexpr std::int64_t kClasses = 3;
constexpr std::int64_t kBatch = 24;
constexpr std::int64_t kRows = 2 * kBatch + 13;  // a last batch of 13

/// Stride, groups, a transpose and a separable one; gradients by rows, whatever the host.
constexpr const char* kNarrow =
    "Input((7, 6, 4)), Conv2D(6, 3, strides=2, padding=same, groups=2, activation=relu), "
    "Conv2DTranspose(5, 3, 2, activation=tanh), Conv2D(4, 2, dilation_rate=2, use_bias=False), "
    "SeparableConv2D(5, 2, 2, activation=relu), Conv2D(3, 1, activation=relu), Flatten(), Dense(3, "
    "softmax)";
/// More parameters than positions: gradients by owners.
constexpr const char* kWide =
    "Input((3, 16)), Conv1D(64, 3, strides=2, padding=causal, activation=relu), "
    "Conv1D(64, 2, strides=2), Conv1DTranspose(32, 3), Conv1D(32, 3), Flatten(), Dense(3, softmax)";
/// Channels alone, and what moves positions.
constexpr const char* kPooled =
    "Input((7, 6, 4)), ZeroPadding2D(1), "
    "DepthwiseConv2D(3, padding=same, depth_multiplier=2, activation=relu), "
    "MaxPooling2D(3, 2, padding=same), UpSampling2D(2, interpolation=bilinear), "
    "DepthwiseConv2D((2, 3), strides=2), AveragePooling2D(2), GlobalMaxPooling2D(), "
    "Dense(3, softmax)";

test::TinyData images(const Shape& shape) {
  const RandomStream random(12, Purpose::kSynthetic, 0);
  test::TinyData data{{}, {}, shape, {}};
  data.x.resize(static_cast<std::size_t>(kRows * element_count(shape)));
  for (std::size_t i = 0; i < data.x.size(); ++i) data.x[i] = static_cast<float>(random.normal(i));
  for (std::int64_t row = 0; row < kRows; ++row)
    data.y.push_back(static_cast<float>(row * row % kClasses));
  return data;
}

struct Trained {
  std::string weights;
  std::vector<double> losses;  ///< of training and validation
};

Trained train(const char* layers, Communicator communicator, const TrainOptions& options) {
  Network model = model_from_layers_text(layers);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  const test::TinyData data = images(model.graph().shape(model.graph().input()));
  Trainer trainer(model, std::move(communicator), options);
  Trained trained;
  for (const EpochReport& epoch : trainer.fit(data.view()))
    trained.losses.insert(trained.losses.end(), {epoch.loss, epoch.validation_loss.value()});
  trained.weights = model.weights_sha256();
  return trained;
}

/// What one rank alone makes of it; computed once.
const Trained& trained_alone(const char* layers, const TrainOptions& options) {
  static std::map<std::pair<std::string, std::int64_t>, Trained> all;
  const auto [found, is_new] = all.try_emplace({layers, options.grain});
  if (is_new) found->second = train(layers, test::alone(), options);
  return found->second;
}

std::vector<GradientWay> kernel_ways(const char* layers, int host_ranks) {
  const Network model = model_from_layers_text(layers);
  std::vector<GradientWay> ways;
  const auto wanted = choose_gradient_ways(model.graph(), host_ranks, kBatch);
  for (const TrainedParameter& trained : plan_gradients(model.graph(), wanted).parameters)
    if (trained.parameter->name == "kernel" && trained.parameter->shape.size() > 2)
      ways.push_back(trained.way);
  return ways;
}

class ConvolutionOverRanks : public testing::TestWithParam<Strategy> {
 protected:
  /// Grains of which every rank has some, and so large that ranks have no rows; blocks of one, of
  /// two, and none.
  void expect_what_one_rank_computes(const char* layers) {
    struct Size {
      std::int64_t grain;
      std::optional<std::int64_t> block_grains;
    };
    for (const auto& [grain, block_grains] :
         {Size{1, 2}, Size{4, 1}, Size{16, 0}, Size{kBatch, {}}}) {
      SCOPED_TRACE("grain " + std::to_string(grain));
      TrainOptions options{.epochs = 2,
                           .batch_size = kBatch,
                           .validation_split = 0.2,
                           .seed = 3,
                           .grain = grain,
                           .sync = GetParam(),
                           .bucket_floats = 500};
      const Trained& alone = trained_alone(layers, options);
      options.block_grains = block_grains;
      const Trained together = train(layers, test::world(), options);
      EXPECT_EQ(together.weights, alone.weights);
      EXPECT_EQ(together.losses, alone.losses);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Strategies, ConvolutionOverRanks,
                         testing::Values(Strategy::kAllreduce, Strategy::kSharded),
                         [](const auto& strategy) {
                           return strategy.param == Strategy::kSharded ? "Sharded" : "Allreduce";
                         });

TEST_P(ConvolutionOverRanks, GivesOneRanksBitsWithGradientsByRows) {
  for (const int host_ranks : {1, 2, 3, 4, 8, 64})
    EXPECT_THAT(kernel_ways(kNarrow, host_ranks), testing::Each(GradientWay::kRows));
  expect_what_one_rank_computes(kNarrow);
}

TEST_P(ConvolutionOverRanks, GivesOneRanksBitsWithGradientsByOwners) {
  for (const int host_ranks : {2, 3, 4, 8, 64})
    EXPECT_THAT(kernel_ways(kWide, host_ranks), testing::Each(GradientWay::kOwner));
  expect_what_one_rank_computes(kWide);
}

TEST_P(ConvolutionOverRanks, GivesOneRanksBitsWithPooling) {
  expect_what_one_rank_computes(kPooled);
}

}  // namespace
}  // namespace lockstep
