#include "distributed/update/table_updates.hpp"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "distributed/update/training_memory.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/random.hpp"
#include "src/model/layers_text.hpp"
#include "tests/support/host_setting.hpp"
#include "tests/support/ranks.hpp"

/// Tables whose rows are updated when they are named, against a sweep over all rows in every step.
namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using test::world;

constexpr std::int64_t kIds = 5;  ///< of a sample
constexpr std::uint64_t kFew = 30;

/// Frequent and rare ids. 0 stands in every row, in some it is all there is; the last token in one
/// row of the whole training.
float id_at(std::uint32_t step, std::int64_t batch_row, std::int64_t i, std::int64_t tokens) {
  const RandomStream random(4, Purpose::kSynthetic, step);
  const auto at = static_cast<std::uint64_t>(batch_row * kIds + i);
  if (i == 0 || batch_row < 8) return 0;  // rows 0 to 7: padding, all that the first of 4 ranks has
  if (step == 3 && batch_row == 9 && i == 2) return static_cast<float>(tokens - 1);
  const auto limit = at % 3 == 0 ? static_cast<std::uint64_t>(tokens) : kFew;
  return static_cast<float>(random.below(limit, at));
}

struct Outcome {
  std::string weights;
  OptimizerSlots slots;  ///< on rank 0
  std::vector<std::string> between;
};

/// Steps on batches of 32 and 19 rows, whose gradients depend on the outputs. After some steps the
/// weights are looked at.
class Training {
 public:
  Training(const std::string& layers, const Json& optimizer, std::vector<std::int64_t> look = {})
      : layers_(layers), optimizer_(optimizer), look_(std::move(look)) {}

  Outcome run(const test::HostSetting& setting, const Communicator& communicator,
              std::optional<bool> sparse, std::uint32_t steps) const {
    const FloatingPointEnvironment environment;
    Network model = make_model();
    const std::vector<StepPlan> plans{StepPlan(32, 4, communicator.size()),
                                      StepPlan(19, 4, communicator.size())};
    const auto optimizer = test::make_distributed(
        setting, model, communicator,
        {.bucket_floats = 100, .block_grains = 1, .sparse_tables = sparse}, plans);
    Outcome result;
    for (std::uint32_t step = 0; step < steps; ++step) {
      make_step(*optimizer, communicator, plans, step % 5 == 4 ? 1 : 0, step, model);
      if (std::ranges::count(look_, step) == 0) continue;
      optimizer->catch_up_weights();
      result.between.push_back(model.weights_sha256());
      communicator.barrier();
    }
    EXPECT_NO_THROW(optimizer->check_replicas("at the end"));
    result.slots = optimizer->gather_slots();
    result.weights = model.weights_sha256();
    return result;
  }

  Network make_model() const {
    Network model = model_from_layers_text(layers_);
    if (wire_) wire_(model);
    model.compile(optimizer_, Json("mse"), Json::array());
    model.initialize(5);
    return model;
  }
  std::string title() const { return layers_ + optimizer_.dump(); }
  void wire(std::function<void(Network&)> wire) { wire_ = std::move(wire); }

 private:
  static void make_step(DistributedOptimizer& optimizer, const Communicator& communicator,
                        const std::vector<StepPlan>& plans, std::size_t plan, std::uint32_t step,
                        const Network& model) {
    optimizer.begin_step(plan);
    const std::int64_t tokens = model.arena().parameters()[0]->shape[0];
    const auto fill = [&](const DistributedOptimizer::Input& input) {
      const Matrix x = optimizer.workspace().input(input.rows);
      for (std::int64_t i = 0; i < x.rows; ++i)
        for (std::int64_t k = input.columns.first; k < input.columns.last; ++k)
          x.row(i)[k] = id_at(step, input.batch_rows.first + i, k, tokens);
    };
    for (const auto& input : optimizer.other_inputs()) fill(input);
    fill(optimizer.own_input());
    const Pass pass{.training = true,
                    .first_row = plans[plan].rows_of(communicator.rank()).first,
                    .batch_rows = plans[plan].rows()};
    optimizer.run(pass, [&](const Block& block) {
      const std::int64_t first = optimizer.workspace().first_row();
      const Range rows{first + block.rows.first, first + block.rows.last};
      const auto y = optimizer.workspace().output(rows).flat();
      const auto dy = optimizer.workspace().output_gradient(rows).flat();
      for (std::size_t i = 0; i < y.size(); ++i) dy[i] = 0.01f * (y[i] - 0.3f);
      for (std::size_t i = 0; i < block.subtrees; ++i)
        optimizer.loss_sums(block.first_subtree + i)[0] = 1;
    });
    optimizer.finish();
  }

  std::string layers_;
  Json optimizer_;
  std::vector<std::int64_t> look_;
  std::function<void(Network&)> wire_;
};

constexpr const char* kLayers = "Input((5,)), Embedding(700, 6), Flatten(), Dense(3, tanh)";
const test::HostSetting kAlone{"", DistributedOptimizer::Strategy::kAllreduce};

Json optimizer(const std::string& class_name, const char* config) {
  return {{"class_name", class_name}, {"config", Json::parse(config)}};
}

void expect_same(const Outcome& run, const Outcome& expected) {
  EXPECT_EQ(run.weights, expected.weights);
  EXPECT_EQ(fmt::format("{}", fmt::join(run.between, " ")), expected.between.front());
  if (!world().is_root()) return;
  ASSERT_EQ(run.slots.size(), expected.slots.size());
  for (std::size_t i = 0; i < run.slots.size(); ++i)
    EXPECT_TRUE(run.slots[i] == expected.slots[i]) << "slot " << i;
}

class TableUpdatesOf : public testing::TestWithParam<test::HostSetting> {
 protected:
  void expect_the_sweeps_bits(const Training& training, std::uint32_t steps) const {
    expect_same(training.run(GetParam(), communicator_, true, steps), swept(training, steps));
  }
  /// What rank 0 makes of it alone, by sweeps; computed once in a test.
  const Outcome& swept(const Training& training, std::uint32_t steps) const {
    static std::map<std::string, Outcome> all;
    const auto [found, is_new] = all.try_emplace(training.title());
    if (!is_new) return found->second;
    Outcome& run = found->second;
    if (communicator_.is_root()) run = training.run(kAlone, test::alone(), false, steps);
    run.weights = communicator_.broadcast(run.weights);
    std::string between = fmt::format("{}", fmt::join(run.between, " "));
    run.between = {communicator_.broadcast(between)};
    return run;
  }
  const Communicator communicator_ = world();
};
INSTANTIATE_TEST_SUITE_P(Strategies, TableUpdatesOf, testing::ValuesIn(test::host_settings()),
                         [](const auto& setting) { return setting.param.name; });

TEST_P(TableUpdatesOf, AdamLeaveWhatASweepLeaves) {
  expect_the_sweeps_bits({kLayers, optimizer("Adam", "{}"), {0, 1, 40, 41, 130}}, 180);
}

TEST_P(TableUpdatesOf, AdamWithASchedule) {
  expect_the_sweeps_bits({kLayers,
                          optimizer("Adam", R"({"learning_rate": {"class_name": "CosineDecay",
        "config": {"initial_learning_rate": 0.0, "decay_steps": 80, "alpha": 0.1,
                   "warmup_target": 0.05, "warmup_steps": 20}}})"),
                          {30, 70}},
                         100);
}

/// A rate that rises when rows have settled under the old one.
TEST_P(TableUpdatesOf, AdamWithARateThatRises) {
  expect_the_sweeps_bits({kLayers,
                          optimizer("Adam", R"({"learning_rate": {"class_name":
        "PiecewiseConstantDecay",
        "config": {"boundaries": [30, 60], "values": [1e-9, 30.0, 0.001]}}})"),
                          {20, 31, 50, 70}},
                         80);
}

TEST_P(TableUpdatesOf, OtherOptimizers) {
  for (const Json& other :
       {optimizer("Adam", R"({"amsgrad": true, "epsilon": 1e-3})"),
        optimizer("Adam", R"({"beta_1": 0.0, "beta_2": 0.5})"), optimizer("SGD", "{}"),
        optimizer("SGD", R"({"momentum": 0.9})"),
        optimizer("SGD", R"({"momentum": 0.7, "nesterov": true})"),
        optimizer("SGD", R"({"momentum": 0.9, "clipvalue": 0.01})"), optimizer("RMSprop", "{}"),
        optimizer("Adagrad", "{}"), optimizer("Adadelta", R"({"learning_rate": 1.0})")}) {
    SCOPED_TRACE(other.dump());
    expect_the_sweeps_bits({kLayers, other, {20}}, 45);
  }
}

TEST_P(TableUpdatesOf, ALargeTable) {
  expect_the_sweeps_bits(
      {"Input((5,)), Embedding(50000, 8), Dense(2), Flatten(), Dense(3)", optimizer("Adam", "{}")},
      10);
}

/// Wider than what is added up together.
TEST_P(TableUpdatesOf, AWideTable) {
  expect_the_sweeps_bits(
      {"Input((5,)), Embedding(300, 70), Dense(2), Flatten(), Dense(3)", optimizer("Adam", "{}")},
      10);
}

TEST_P(TableUpdatesOf, AFrozenTableBesideOneThatIsTrained) {
  Training training(
      "Reshape((5,)), Embedding(300, 4, trainable=False), Embedding(500, 4), Add(), Flatten(), "
      "Dense(2, trainable=False)",
      optimizer("Adam", "{}"), {30});
  training.wire([](Network& model) {
    model.connect({{0, {}}, {1, {0}}, {2, {0}}, {3, {1, 2}}, {4, {3}}, {5, {4}}}, {5});
    model.build({kIds});
  });
  expect_the_sweeps_bits(training, 40);
}

TEST_P(TableUpdatesOf, SeveralTablesBesideOtherParameters) {
  Training training(
      "Reshape((5,)), Embedding(300, 4), Embedding(500, 3), Concatenate(), Dense(4, tanh), "
      "Embedding(900, 4), Add(), Flatten(), Dense(2)",
      optimizer("Adam", "{}"), {30});
  training.wire([](Network& model) {
    model.connect({{0, {}},
                   {1, {0}},
                   {2, {0}},
                   {3, {1, 2}},
                   {4, {3}},
                   {5, {0}},
                   {6, {4, 5}},
                   {7, {6}},
                   {8, {7}}},
                  {8});
    model.build({kIds});
  });
  expect_the_sweeps_bits(training, 40);
}

TEST_P(TableUpdatesOf, ATableThatIsUsedThreeTimes) {
  Training training(
      "Reshape((5,)), Embedding(300, 4), Dense(4, tanh), Add(), Add(), Flatten(), Dense(2)",
      optimizer("Adam", "{}"), {30});
  training.wire([](Network& model) {
    model.connect({{0, {}},
                   {1, {0}},
                   {1, {0}},
                   {2, {2}},
                   {3, {1, 3}},
                   {1, {0}},
                   {4, {4, 5}},
                   {5, {6}},
                   {6, {7}}},
                  {8});
    model.build({kIds});
  });
  expect_the_sweeps_bits(training, 40);
}

// --- Which tables ---

std::vector<std::string> tables_in(const Network& model, std::int64_t batch,
                                   std::optional<bool> wanted = {}) {
  std::vector<GradientWay> ways(model.graph().ops(), GradientWay::kRows);
  choose_tables(model.graph(), {}, model.objective().optimizer(), batch, wanted, ways);
  std::vector<std::string> shapes;
  for (const Table& table : tables_of(model.graph(), plan_gradients(model.graph(), ways)))
    shapes.push_back(fmt::format("{}x{}", table.rows, table.features));
  return shapes;
}

Network compiled(const std::string& layers, const Json& its = "adam") {
  Network model = model_from_layers_text(layers);
  model.compile(its, Json("mse"), Json::array());
  return model;
}

TEST(Tables, AreThoseOfWhichABatchNamesFewRows) {
  using testing::ElementsAre;
  const Network model = compiled(kLayers);
  EXPECT_THAT(tables_in(model, 69), ElementsAre("700x6"));
  EXPECT_THAT(tables_in(model, 70), ElementsAre());
  EXPECT_THAT(tables_in(model, 70, true), ElementsAre("700x6"));
  EXPECT_THAT(tables_in(model, 1, false), ElementsAre());
}

TEST(Tables, AreNoneIfEveryRowMovesInEveryStepOrNone) {
  EXPECT_THAT(tables_in(compiled("Input((5,)), Embedding(700, 6, embeddings_regularizer=l2(1e-3)), "
                                 "Flatten(), Dense(3)"),
                        1, true),
              testing::IsEmpty());
  EXPECT_THAT(tables_in(compiled(kLayers, optimizer("Adam", R"({"epsilon": 0.0})")), 1, true),
              testing::IsEmpty());
  EXPECT_THAT(tables_in(compiled("Input((5,)), Embedding(700, 6, trainable=False), Flatten(), "
                                 "Dense(3)"),
                        1, true),
              testing::IsEmpty());
}

TEST(Tables, AreNoneIfTheIdsAreMadeInTheNetwork) {
  EXPECT_THAT(tables_in(compiled("Input((5,)), Reshape((5, 1)), Permute((2, 1)), ZeroPadding1D(1), "
                                 "Embedding(700, 6), Flatten(), Dense(3)"),
                        1, true),
              testing::IsEmpty());
}

TEST(Tables, OfARankAreOneInAsManyAsThereAreRanks) {
  const HostMap map(std::vector{0, 0, 1, 0});
  std::vector<int> owners(11, 0);
  for (const int rank : {0, 1, 3}) {
    const RowShare share = row_share(map, rank);
    std::int64_t owned = 0;
    for (std::int64_t row = 0; row < 11; ++row) {
      if (!share.owns(row)) continue;
      EXPECT_EQ(share.index(row), owned++);
      EXPECT_EQ(share.row(share.index(row)), row);
      ++owners[static_cast<std::size_t>(row)];
    }
    EXPECT_EQ(share.count(11), owned);
  }
  EXPECT_THAT(owners, testing::Each(1));
}

TEST(Tables, TakeNoGradientMemoryOfAllTheirRows) {
  const Network model = compiled("Input((5,)), Embedding(100000, 8), Flatten(), Dense(3)");
  const std::vector<StepPlan> plans{StepPlan(32, 4, 4)};
  for (const auto strategy :
       {DistributedOptimizer::Strategy::kSharded, DistributedOptimizer::Strategy::kAllreduce})
    for (const int host_ranks : {1, 2, 4}) {
      const TrainingMemory memory = training_memory(model, strategy, {}, host_ranks, plans);
      const TrainingMemory swept =
          training_memory(model, strategy, {.sparse_tables = false}, host_ranks, plans);
      EXPECT_LT(memory.gradients, host_ranks * 1'500'000) << host_ranks;
      EXPECT_GT(swept.gradients, 3'200'000) << host_ranks;
      EXPECT_GE(memory.slots, 2 * 3'200'000) << host_ranks;
    }
}

TEST(TouchedRows, ListTheirPlacesInOrder) {
  TouchedRows touched(6);
  for (int round = 0; round < 2; ++round) {
    touched.clear();
    std::int32_t at = 0;
    for (const std::int64_t row : {7, 1'000'000, 7, 3, 1'000'000, 7})
      touched.add(row, {.at = at++});
    std::vector<std::int64_t> rows;
    std::vector<std::vector<std::int32_t>> places;
    for (const TouchedRows::Row& row : touched.rows()) {
      rows.push_back(row.row);
      auto& its = places.emplace_back();
      for (std::int32_t i = row.first; i != TouchedRows::kNone; i = touched.place(i).next)
        its.push_back(touched.place(i).at);
    }
    EXPECT_THAT(rows, testing::ElementsAre(7, 1'000'000, 3));
    EXPECT_THAT(places, testing::ElementsAre(testing::ElementsAre(0, 2, 5),
                                             testing::ElementsAre(1, 4), testing::ElementsAre(3)));
  }
}

}  // namespace
}  // namespace lockstep
