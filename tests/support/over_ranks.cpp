#include "tests/support/over_ranks.hpp"

#include <map>
#include <optional>
#include <utility>

#include "distributed/training/trainer.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/support/ranks.hpp"

namespace lockstep::test {
namespace {

struct Trained {
  std::string weights;
  std::vector<double> losses;  ///< of training and validation
};

Trained train(const std::string& layers, Communicator communicator, const TinyData& data,
              const TrainOptions& options) {
  Network model =
      layers.starts_with('{') ? model_from_json_text(layers) : model_from_layers_text(layers);
  model.compile("adam", "sparse_categorical_crossentropy", {"accuracy"});
  Trainer trainer(model, std::move(communicator), options);
  Trained trained;
  for (const EpochReport& epoch : trainer.fit(data.view()))
    trained.losses.insert(trained.losses.end(), {epoch.loss, epoch.validation_loss.value()});
  trained.weights = model.weights_sha256();
  return trained;
}

/// What one rank alone makes of it; computed once.
const Trained& trained_alone(const std::string& layers, const TinyData& data,
                             const TrainOptions& options) {
  static std::map<std::pair<std::string, std::int64_t>, Trained> all;
  const auto [found, is_new] = all.try_emplace({layers, options.grain});
  if (is_new) found->second = train(layers, alone(), data, options);
  return found->second;
}

}  // namespace

void OverRanks::expect_what_one_rank_computes(const std::string& layers, const TinyData& data) {
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
    const Trained& expected = trained_alone(layers, data, options);
    options.block_grains = block_grains;
    const Trained together = train(layers, world(), data, options);
    EXPECT_EQ(together.weights, expected.weights);
    EXPECT_EQ(together.losses, expected.losses);
  }
}

void OverRanks::expect_what_one_rank_computes(const std::string& layers) {
  constexpr std::int64_t kClasses = 3;
  const RandomStream random(12, Purpose::kSynthetic, 0);
  TinyData data{{}, {}, model_from_layers_text(layers).input_shape(), {}};
  data.x.resize(static_cast<std::size_t>(kRows * element_count(data.x_shape)));
  for (std::size_t i = 0; i < data.x.size(); ++i) data.x[i] = static_cast<float>(random.normal(i));
  for (std::int64_t row = 0; row < kRows; ++row)
    data.y.push_back(static_cast<float>(row * row % kClasses));
  expect_what_one_rank_computes(layers, data);
}

std::string strategy_name(const testing::TestParamInfo<DistributedOptimizer::Strategy>& info) {
  return info.param == DistributedOptimizer::Strategy::kSharded ? "Sharded" : "Allreduce";
}

std::vector<GradientWay> gradient_ways_of(const std::string& layers, int host_ranks,
                                          const std::function<bool(const Parameter&)>& asked) {
  const Network model = model_from_layers_text(layers);
  const auto wanted = choose_gradient_ways(model.graph(), host_ranks, OverRanks::kBatch);
  std::vector<GradientWay> ways;
  for (const TrainedParameter& trained : plan_gradients(model.graph(), wanted).parameters)
    if (asked(*trained.parameter)) ways.push_back(trained.way);
  return ways;
}

}  // namespace lockstep::test
