#include "distributed/training/alternating_trainer.hpp"

#include <nlohmann/json.hpp>

#include "distributed/training/trainer.hpp"
#include "distributed/update/sharded_optimizer.hpp"
#include "io/files/atomic_file.hpp"
#include "src/core/random.hpp"
#include "src/layers/concatenate.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/network_builder.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::alone;
using test::world;
using Strategy = DistributedOptimizer::Strategy;

constexpr std::int64_t kLatent = 5;
constexpr std::int64_t kPixels = 12;
constexpr std::int64_t kBatch = 52;
constexpr std::int64_t kGrain = 4;
constexpr int kRounds = 4;

const char* const kGenerator = "Dense(16, relu), BatchNormalization(), Dense(12, tanh)";
const char* const kDiscriminator =
    "Dense(40, kernel_regularizer=l2(0.01)), LeakyReLU(0.2), BatchNormalization(), Dropout(0.3), "
    "Dense(1)";

/// (latent, image) -> (verdict on what is generated, verdict on the image).
struct Gan {
  Gan() : network(build()) { network.initialize(7); }
  Network build() {
    NetworkBuilder builder("gan");
    const auto latent = builder.input({kLatent}), image = builder.input({kPixels});
    generator = builder.add("generator", kGenerator);
    discriminator = builder.add("discriminator", kDiscriminator);
    fake = builder.apply(discriminator, builder.apply(generator, latent));
    real = builder.apply(discriminator, image);
    both = builder.apply(builder.add(std::make_unique<Concatenate>(-1)), {fake, real});
    return builder.build({both});
  }
  /// Weights and moving statistics of some layers, or the weights alone.
  std::vector<float> values(const std::vector<std::size_t>& layers, bool state = false) const {
    std::vector<float> all;
    for (const std::size_t layer : layers)
      for (const Parameter& parameter : network.layers()[layer]->parameters())
        if (parameter.trained() != state)
          all.insert(all.end(), parameter.value.begin(), parameter.value.end());
    return all;
  }

  NetworkBuilder::Layers generator, discriminator;
  NetworkBuilder::Call fake, real, both;
  Network network;
};

const nlohmann::ordered_json kLogits = {{"class_name", "BinaryCrossentropy"},
                                        {"config", {{"from_logits", true}}}};
const nlohmann::ordered_json kSlowAdam = {{"class_name", "Adam"},
                                          {"config", {{"learning_rate", 0.01}, {"beta_1", 0.5}}}};

struct Objectives {
  explicit Objectives(const Gan& gan)
      : d(gan.network.objective(gan.both, gan.discriminator, kSlowAdam, kLogits, {"accuracy"})),
        g(gan.network.objective(gan.fake, gan.generator, "adam", kLogits,
                                nlohmann::ordered_json::array())) {}
  std::vector<NamedObjective> named() { return {{"d", &d}, {"g", &g}}; }
  Objective d, g;
};

/// A row of noise or of an image is a function of its number alone.
void fill_rows(std::uint32_t stream, Range batch_rows, Range columns, Matrix out) {
  const RandomStream random(3, Purpose::kSynthetic, stream);
  for (std::int64_t row = 0; row < out.rows; ++row)
    for (std::int64_t i = columns.first; i < columns.last; ++i)
      out.row(row)[i] = static_cast<float>(
          random.normal(static_cast<std::uint64_t>((batch_rows.first + row) * out.columns + i)));
}

/// Targets: on what is generated `generated`, on images 1, if they are asked for.
class Batches {
 public:
  AlternatingTrainer::Batch of(std::int64_t step, bool d, std::int64_t rows = kBatch) {
    return {rows,
            [step, d](std::size_t which, Range batch_rows, Range columns, Matrix out) {
              EXPECT_TRUE(d || which == 0) << "images have no part in the generator's loss";
              fill_rows(static_cast<std::uint32_t>(4 * step + (d ? 2 : 0)) +
                            static_cast<std::uint32_t>(which),
                        batch_rows, columns, out);
            },
            [this, d](Range batch_rows) {
              const std::int64_t count = batch_rows.count();
              values_.clear();
              for (std::int64_t row = 0; row < count; ++row) {
                if (d) values_.push_back(0);
                values_.push_back(1);
              }
              return Targets{{}, {values_.data(), count, d ? 2 : 1}};
            }};
  }

 private:
  std::vector<float> values_;
};

AlternatingOptions options_of(Strategy sync) {
  return {.batch_size = kBatch, .rows = 2 * kBatch + 19, .seed = 5, .grain = kGrain, .sync = sync};
}

/// Some rounds from the step that stands next; every third batch is a partial one.
std::vector<double> train(AlternatingTrainer& trainer, int rounds) {
  Batches batches;
  std::vector<double> losses;
  for (int round = 0; round < rounds; ++round) {
    const std::int64_t step = trainer.steps(0);
    const std::int64_t rows = step % 3 == 2 ? 19 : kBatch;
    const auto means = trainer.step(0, batches.of(step, true, rows));
    losses.insert(losses.end(), {means.loss, means.metrics[0]});
    losses.push_back(trainer.step(1, batches.of(step, false, rows)).loss);
  }
  return losses;
}

struct Result {
  std::string weights;
  std::vector<double> losses;
  std::string checkpoint;  ///< on rank 0
};

/// Collective over `communicator`; the file is of this rank's group alone.
Result result_of(Communicator communicator, Strategy sync, const std::filesystem::path& file) {
  Gan gan;
  Objectives objectives(gan);
  Result result;
  const bool root = communicator.is_root();
  {
    AlternatingTrainer trainer(gan.network, objectives.named(), std::move(communicator),
                               options_of(sync));
    trainer.start();
    result.losses = train(trainer, kRounds);
    trainer.save(file, "four rounds");
    if (root) result.checkpoint = read_file(file);
  }
  result.weights = gan.network.weights_sha256();
  return result;
}

/// What is masked counts neither for the loss nor for the number that it is divided by.
TEST(AlternatingTrainer, TakesTheLossOfWhatIsNotMasked) {
  constexpr std::int64_t kSteps = 3;
  NetworkBuilder builder("masked");
  const auto input = builder.input({kSteps, 2});
  const auto layers = builder.add("layers", "Masking(), LSTM(3, return_sequences=True), Dense(1)");
  const auto output = builder.apply(layers, input);
  Network network = builder.build({output});
  network.initialize(7);
  const auto fill = [](std::size_t, Range batch_rows, Range columns, Matrix out) {
    fill_rows(1, batch_rows, columns, out);
    for (std::int64_t row = 0; row < out.rows; ++row)
      for (std::int64_t i = columns.first; i < columns.last; ++i)
        if ((batch_rows.first + row + i / 2) % 3 == 0) out.row(row)[i] = 0;
  };
  double sum = 0, counted = 0;
  const Workspace workspace = network.inference_workspace(kBatch);
  fill(0, {0, kBatch}, {0, 2 * kSteps}, workspace.input({0, kBatch}));
  const Matrix y = network.forward(workspace, {0, kBatch}, {});
  for (std::int64_t row = 0; row < kBatch; ++row)
    for (std::int64_t step = 0; step < kSteps; ++step)
      if ((row + step) % 3 != 0) {
        sum += static_cast<double>(y.row(row)[step]) * static_cast<double>(y.row(row)[step]);
        counted += 1;
      }
  for (const Strategy sync : {Strategy::kSharded, Strategy::kAllreduce}) {
    network.initialize(7);
    Objective objective =
        network.objective(output, layers, "sgd", "mean_squared_error", {"mean_absolute_error"});
    AlternatingTrainer trainer(network, {{"loss", &objective}}, world(), options_of(sync));
    trainer.start();
    const std::vector<float> zeros(kBatch * kSteps, 0.0f);
    const auto targets = [&](Range batch_rows) {
      return Targets{{}, {const_cast<float*>(zeros.data()), batch_rows.count() * kSteps, 1}};
    };
    const auto means = trainer.step(0, {kBatch, fill, targets});
    EXPECT_NEAR(means.loss, sum / counted, 1e-6 * sum / counted);
  }
}

TEST(AlternatingTrainer, GivesTheSameBitsOnAnyRanksByBothStrategies) {
  const Communicator communicator = world();
  const test::SharedDirectory directory(communicator);
  const std::string mine = "alone" + std::to_string(communicator.rank()) + ".h5";
  const Result expected = result_of(alone(), Strategy::kSharded, directory / mine);
  for (const Strategy sync : {Strategy::kSharded, Strategy::kAllreduce}) {
    const Result result = result_of(world(), sync, directory / "all.h5");
    EXPECT_EQ(result.weights, expected.weights);
    EXPECT_EQ(result.losses, expected.losses);
    if (communicator.is_root()) {
      EXPECT_TRUE(result.checkpoint == expected.checkpoint);
    }
  }
}

TEST(AlternatingTrainer, LeavesWeightsOfTheOtherObjectiveAlone) {
  for (const Strategy sync : {Strategy::kSharded, Strategy::kAllreduce}) {
    Gan gan;
    Objectives objectives(gan);
    AlternatingTrainer trainer(gan.network, objectives.named(), world(), options_of(sync));
    trainer.start();
    Batches batches;
    for (int round = 0; round < 2; ++round) {
      const auto g = gan.values(gan.generator), d = gan.values(gan.discriminator);
      const auto averages = gan.values(gan.generator, true);
      trainer.step(0, batches.of(round, true));
      EXPECT_EQ(gan.values(gan.generator), g);
      EXPECT_NE(gan.values(gan.discriminator), d);
      EXPECT_NE(gan.values(gan.generator, true), averages) << "it runs in training";
      const auto trained = gan.values(gan.discriminator);
      trainer.step(1, batches.of(round, false));
      EXPECT_NE(gan.values(gan.generator), g);
      EXPECT_EQ(gan.values(gan.discriminator), trained);
    }
    EXPECT_EQ(trainer.steps(0), 2);
    EXPECT_EQ(trainer.steps(1), 2);
  }
}

TEST(AlternatingTrainer, GoesOnFromItsFileAsIfItHadNeverStopped) {
  const Communicator communicator = world();
  const test::SharedDirectory directory(communicator);
  const std::filesystem::path file = directory / "half.h5";
  for (const Strategy first : {Strategy::kSharded, Strategy::kAllreduce}) {
    const Strategy second = first == Strategy::kSharded ? Strategy::kAllreduce : Strategy::kSharded;
    const std::string mine = "whole" + std::to_string(communicator.rank()) + ".h5";
    const Result whole = result_of(alone(), Strategy::kSharded, directory / mine);
    // On one rank, then on all.
    communicator.barrier();
    if (communicator.is_root()) {
      Gan gan;
      Objectives objectives(gan);
      AlternatingTrainer trainer(gan.network, objectives.named(), alone(), options_of(first));
      trainer.start();
      train(trainer, kRounds - 1);
      trainer.save(file, "three rounds");
    }
    communicator.barrier();
    Gan gan;
    gan.network.initialize(99);
    Objectives objectives(gan);
    {
      AlternatingTrainer trainer(gan.network, objectives.named(), world(), options_of(second));
      EXPECT_EQ(trainer.resume(file), "three rounds");
      EXPECT_EQ(trainer.steps(1), kRounds - 1);
      const std::vector<double> losses = train(trainer, 1);
      EXPECT_EQ(losses, std::vector<double>(whole.losses.end() - 3, whole.losses.end()));
    }
    EXPECT_EQ(gan.network.weights_sha256(), whole.weights);
  }
}

/// The strategy, and for kSharded how many ranks lie on a host, one after the other or by turns.
struct Setting {
  const char* name;
  int per_host;
  bool by_turns = false;
};
void PrintTo(const Setting& setting, std::ostream* out) {
  *out << setting.name;
}
class AlternatingOverHosts : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Hosts, AlternatingOverHosts,
                         testing::Values(Setting{"OfOne", 1}, Setting{"OfTwo", 2},
                                         Setting{"OfThree", 3}, Setting{"OfTwoByTurns", 2, true}),
                         [](const auto& setting) { return setting.param.name; });

TEST_P(AlternatingOverHosts, GivesTheSameBits) {
  const Communicator communicator = world();
  const test::SharedDirectory directory(communicator);
  const std::string mine = "alone" + std::to_string(communicator.rank()) + ".h5";
  const Result expected = result_of(alone(), Strategy::kAllreduce, directory / mine);

  const int per_host = GetParam().per_host;
  const int hosts = (communicator.size() + per_host - 1) / per_host;
  const int host =
      GetParam().by_turns ? communicator.rank() % hosts : communicator.rank() / per_host;
  const std::vector<StepPlan> plans{StepPlan(kBatch, kGrain, communicator.size()),
                                    StepPlan(19, kGrain, communicator.size())};
  Gan gan;
  Objectives objectives(gan);
  std::vector<std::unique_ptr<DistributedOptimizer>> optimizers;
  std::vector<LossSums> loss_sums;
  for (const NamedObjective& named : objectives.named()) {
    const DistributedOptimizer::Options options{.bucket_floats = 300,
                                                .loss_sums = loss_sum_count(*named.objective),
                                                .objective = named.objective,
                                                .borrows_parameters = !optimizers.empty()};
    optimizers.push_back(std::make_unique<ShardedOptimizer>(
        gan.network, communicator, communicator.split(host), options, plans));
    optimizers.back()->set_up();
    loss_sums.emplace_back(*named.objective);
  }
  Batches batches;
  for (std::int64_t step = 0; step < kRounds; ++step)
    for (const std::size_t number : {0u, 1u}) {
      const std::size_t which = step % 3 == 2 ? 1 : 0;
      const auto batch = batches.of(step, number == 0, plans[which].rows());
      DistributedOptimizer& optimizer = *optimizers[number];
      optimizer.begin_step(which);
      for (const auto& input : optimizer.other_inputs())
        batch.input(0, input.batch_rows, input.columns, optimizer.workspace().input(input.rows));
      const auto own = optimizer.own_input();
      batch.input(0, own.batch_rows, {0, kLatent}, optimizer.workspace().input(own.rows));
      if (number == 0)
        batch.input(1, own.batch_rows, {0, kPixels}, optimizer.workspace().input(own.rows, 1));
      const Targets targets = batch.targets(own.batch_rows);
      optimizer.run({.training = true,
                     .seed = 5,
                     .step = 2 * step + static_cast<std::int64_t>(number),
                     .first_row = own.batch_rows.first,
                     .batch_rows = plans[which].rows()},
                    [&](const Block& block) {
                      loss_sums[number].add_up(optimizer, targets, block, plans[which].rows());
                    });
      optimizer.finish();
    }
  while (!optimizers.empty()) optimizers.pop_back();
  EXPECT_EQ(gan.network.weights_sha256(), expected.weights);
}

/// Two passes over rows in their order, by an objective; returns the losses.
std::vector<double> train_on_rows(Network& model, Objective& objective, const test::TinyData& data,
                                  std::size_t input) {
  AlternatingTrainer trainer(
      model, {{"only", &objective}}, world(),
      {.batch_size = 20, .rows = data.view().rows(), .seed = 5, .grain = kGrain});
  trainer.start();
  std::vector<double> losses;
  for (int pass = 0; pass < 2; ++pass)
    for (std::int64_t first = 0; first < data.view().rows(); first += 20) {
      const auto fill = [&](std::size_t which, Range batch_rows, Range, Matrix out) {
        EXPECT_EQ(which, input);
        std::vector<std::int64_t> rows;
        for (std::int64_t row = batch_rows.first; row < batch_rows.last; ++row)
          rows.push_back(first + row);
        gather_rows(data.view().x, rows, out);
      };
      const auto targets = [&](Range rows) {
        return Targets{{},
                       {const_cast<float*>(data.y.data()) + first + rows.first, rows.count(), 1}};
      };
      losses.push_back(
          trainer.step(0, {std::min<std::int64_t>(20, data.view().rows() - first), fill, targets})
              .loss);
    }
  return losses;
}

/// The same by Trainer, of a compiled network; returns its weights.
std::string fit_weights(Network& model, const test::TinyData& data) {
  model.compile(kSlowAdam, kLogits, nlohmann::ordered_json::array());
  Trainer trainer(model, world(),
                  {.epochs = 2,
                   .batch_size = 20,
                   .shuffle = false,
                   .seed = 5,
                   .initialize = false,
                   .grain = kGrain});
  trainer.fit(data.view());
  return model.weights_sha256();
}

TEST(AlternatingTrainer, TrainsAsFitDoesWhereTheOtherLayersAreFrozen) {
  const char* const layers =
      "Dense(30, relu), Dense(9, tanh), PReLU(), Dropout(0.3), Dense(40), PReLU(), "
      "BatchNormalization(), Dense(1)";
  const test::TinyData data = test::classified_rows(51, kLatent, 2);
  const std::vector<std::size_t> trained = {4, 5, 6, 7};
  Network frozen = model_from_layers_text(layers);
  for (std::size_t layer = 0; layer < 4; ++layer) frozen.layers()[layer]->set_trainable(false);
  frozen.build({kLatent});
  frozen.initialize(7);
  Network model = model_from_layers_text(layers);
  model.build({kLatent});
  model.initialize(7);
  Objective objective = model.objective(model.calls().size() - 1, trained, kSlowAdam, kLogits,
                                        nlohmann::ordered_json::array());
  train_on_rows(model, objective, data, 0);
  EXPECT_EQ(model.weights_sha256(), fit_weights(frozen, data));
}

TEST(AlternatingTrainer, RunsNothingThatHasNoPartInTheOutput) {
  const char* const layers = "Dense(40), LeakyReLU(0.2), BatchNormalization(), Dense(1)";
  Network part = model_from_layers_text(layers);
  part.build({kPixels});
  part.initialize(1);

  NetworkBuilder builder("whole");
  const auto latent = builder.input({kLatent}), image = builder.input({kPixels});
  const auto generator = builder.add("generator", "Dense(12), BatchNormalization()");
  const auto discriminator = builder.add("discriminator", layers);
  const auto fake = builder.apply(discriminator, builder.apply(generator, latent));
  const auto real = builder.apply(discriminator, image);
  const auto both = builder.apply(builder.add(std::make_unique<Concatenate>(-1)), {fake, real});
  Network whole = builder.build({both});
  whole.initialize(2);
  Network copy = model_from_layers_text(layers);
  copy.build({kPixels});
  copy_layer_weights(whole, discriminator, part);
  const auto averages = [&] {
    const auto value = whole.layers()[generator[1]]->parameters()[2].value;
    return std::vector<float>(value.begin(), value.end());
  };
  const auto before = averages();
  Objective objective =
      whole.objective(real, discriminator, kSlowAdam, kLogits, nlohmann::ordered_json::array());
  const test::TinyData data = test::classified_rows(51, kPixels, 2);
  train_on_rows(whole, objective, data, 1);
  fit_weights(part, data);
  copy_layer_weights(whole, discriminator, copy);
  EXPECT_EQ(copy.weights_sha256(), part.weights_sha256());
  EXPECT_EQ(averages(), before);
}

TEST(AlternatingTrainer, RefusesFilesOfOtherTrainings) {
  const Communicator communicator = world();
  const test::SharedDirectory directory(communicator);
  const std::filesystem::path file = directory / "some.h5";
  {
    Gan gan;
    Objectives objectives(gan);
    AlternatingTrainer trainer(gan.network, objectives.named(), world(),
                               options_of(Strategy::kSharded));
    trainer.start();
    trainer.save(file, "");
  }
  const auto resume = [&](std::vector<NamedObjective> named, Gan& gan, AlternatingOptions options) {
    AlternatingTrainer trainer(gan.network, std::move(named), world(), options);
    trainer.resume(file);
  };
  Gan gan;
  Objectives objectives(gan);
  AlternatingOptions options = options_of(Strategy::kSharded);
  options.seed = 6;
  test::expect_collective_error(communicator, ExitCode::kUsage, {"seed 5 there, 6 here"},
                                [&] { resume(objectives.named(), gan, options); });
  test::expect_collective_error(communicator, ExitCode::kBadData,
                                {"expected the objectives d, other, got d, g"}, [&] {
                                  resume({{"d", &objectives.d}, {"other", &objectives.g}}, gan,
                                         options_of(Strategy::kSharded));
                                });
  Objective changed = gan.network.objective(gan.fake, gan.generator, "sgd", kLogits,
                                            nlohmann::ordered_json::array());
  test::expect_collective_error(
      communicator, ExitCode::kBadData, {"objective g", "SGD", "Adam"}, [&] {
        resume({{"d", &objectives.d}, {"g", &changed}}, gan, options_of(Strategy::kSharded));
      });
  EXPECT_NO_THROW(resume(objectives.named(), gan, options_of(Strategy::kAllreduce)));
}

TEST(AlternatingTrainer, RefusesBatchesThatDoNotFit) {
  const Communicator communicator = world();
  Gan gan;
  Objectives objectives(gan);
  AlternatingTrainer trainer(gan.network, objectives.named(), world(),
                             options_of(Strategy::kAllreduce));
  Batches batches;
  test::expect_collective_error(communicator, ExitCode::kUsage, {"start() or resume()"},
                                [&] { trainer.step(0, batches.of(0, true)); });
  trainer.start();
  test::expect_collective_error(communicator, ExitCode::kUsage, {"52 or 19 rows, got one of 20"},
                                [&] { trainer.step(0, batches.of(0, true, 20)); });
}

TEST(NetworkObjective, RefusesLayersThatHaveNoPartInItsOutput) {
  const Gan gan;
  const auto none = nlohmann::ordered_json::array();
  const auto expect_error = [&](const Network::Output& call, const std::vector<std::size_t>& layers,
                                const std::string& word) {
    try {
      gan.network.objective(call, layers, "adam", kLogits, none);
      ADD_FAILURE() << "expected an error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_THAT(error.what(), testing::HasSubstr(word));
    }
  };
  expect_error(gan.real, gan.generator, "generator_dense");
  expect_error(gan.fake, {}, "at least one weight");
  expect_error(1000, gan.generator, "number 1000");
  expect_error(gan.fake, {1000}, "number 1000");
}

}  // namespace
}  // namespace lockstep
