#include "distributed/training/evaluator.hpp"

#include <numeric>

#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using test::alone;
using test::TinyData;
using test::world;

std::string exact(const Evaluation& evaluation) {
  std::string text = fmt::format("{} rows, loss {:a}", evaluation.rows, evaluation.loss);
  for (const auto& [name, value] : evaluation.metrics)
    text += fmt::format(", {} {:a}", name, value);
  return text;
}

Network trained_classifier() {
  Network model = test::classifier(4, 5, 3);
  model.initialize(8);
  return model;
}

TEST(Evaluate, GivesTheSameBitsOnAnyNumberOfRanks) {
  const Communicator communicator = world();
  const Network model = trained_classifier();
  for (const std::int64_t rows : {1, 2, 3, 11, 50}) {
    const TinyData data = test::classified_rows(rows, 4, 3);
    for (const std::int64_t block : {1, 3, 32, 1000}) {
      const std::string reference = exact(evaluate(model, alone(), data.view(), block));
      const std::string shared = exact(evaluate(model, communicator, data.view(), block));
      const std::string on_root = exact(evaluate(model, communicator, data.view(), block, true));
      EXPECT_EQ(shared, reference) << rows << " rows, block " << block;
      EXPECT_EQ(on_root, reference) << rows << " rows, block " << block;
    }
  }
}

TEST(Evaluate, ExchangesMoreBlocksThanFitOneMessage) {
  const Communicator communicator = world();
  const Network model = test::linear_network(1, "mae", 0.1);
  TinyData data{std::vector<float>(9001), std::vector<float>(9001), {1}, {1}};
  std::iota(data.y.begin(), data.y.end(), 0.0f);
  EXPECT_EQ(evaluate(model, communicator, data.view(), 1).loss, 4500.0);
}

TEST(Evaluate, EqualsALoopOverTheRows) {
  const Communicator communicator = world();
  const Network model = trained_classifier();
  const TinyData data = test::classified_rows(11, 4, 3);
  const Workspace workspace = model.inference_workspace(1);
  double loss = 0;
  double correct = 0;
  for (std::size_t row = 0; row < 11; ++row) {
    std::copy_n(data.x.begin() + static_cast<std::ptrdiff_t>(row * 4), 4,
                workspace.input({0, 1}).data);
    const Matrix p = model.forward(workspace, {0, 1}, Pass{});
    const auto label = static_cast<std::size_t>(data.y[row]);
    loss -= std::log(static_cast<double>(p.flat()[label]));
    if (&*std::ranges::max_element(p.flat()) == &p.flat()[label]) ++correct;
  }

  const Evaluation evaluation = evaluate(model, communicator, data.view(), 3);

  EXPECT_NEAR(evaluation.loss, loss / 11, 1e-6);
  ASSERT_EQ(evaluation.metrics.size(), 1u);
  EXPECT_EQ(evaluation.metrics[0].first, "accuracy");
  EXPECT_DOUBLE_EQ(evaluation.metrics[0].second, correct / 11);
  EXPECT_EQ(evaluation.rows, 11);
}

TEST(Evaluate, WeighsALastPartialBlockByItsRows) {
  const Communicator communicator = world();
  const Network model = test::linear_network(1, "mae", 0.1);
  TinyData data{std::vector<float>(48), std::vector<float>(48, 0.5f), {1}, {1}};
  std::fill(data.y.begin() + 32, data.y.end(), 1.0f);
  EXPECT_NEAR(evaluate(model, communicator, data.view(), 32).loss, 0.666667, 1e-6);
}

TEST(Evaluate, AddsTheRegularizersOnce) {
  const Communicator communicator = world();
  Network model = test::linear_network(3, "mae", 0.1, "ones", 0.5f);
  model.initialize(0);
  const TinyData data = test::unit_rows({1, 1, 1});  // predicted without error
  EXPECT_NEAR(evaluate(model, communicator, data.view(), 2).loss, 1.5, 1e-6);
}

TEST(Evaluate, LeavesDropoutOut) {
  const Communicator communicator = world();
  Network with = test::classifier(4, 5, 3, "adam", 0.5);
  Network without = test::classifier(4, 5, 3);
  with.initialize(8);
  std::ranges::copy(with.arena().values(), without.arena().values().begin());
  const TinyData data = test::classified_rows(9, 4, 3);
  EXPECT_EQ(exact(evaluate(with, communicator, data.view(), 4)),
            exact(evaluate(without, communicator, data.view(), 4)));
}

/// All predictions as rank 0's sink gets them; elsewhere the sink must not be called.
std::vector<float> predictions(const Network& model, const Communicator& communicator,
                               const TinyData& data, std::int64_t block) {
  std::vector<float> all;
  std::int64_t next = 0;
  predict(model, communicator, data.view().x, block, [&](std::int64_t first, ConstMatrix rows) {
    EXPECT_TRUE(communicator.is_root());
    EXPECT_EQ(first, next);
    EXPECT_EQ(rows.columns, element_count(model.output_shape()));
    next += rows.rows;
    all.insert(all.end(), rows.flat().begin(), rows.flat().end());
  });
  EXPECT_EQ(next, communicator.is_root() ? data.view().rows() : 0);
  return all;
}

TEST(Predict, ReturnsTheRowsInOrder) {
  const Communicator communicator = world();
  Network model = test::linear_network(11, "mse", 0.1);
  std::iota(model.arena().values().begin(), model.arena().values().begin() + 11, 0.0f);
  const TinyData data = test::unit_rows(std::vector<float>(11));
  for (const std::int64_t block : {1, 2, 3, 32}) {
    std::vector<float> expected(communicator.is_root() ? 11 : 0);
    std::iota(expected.begin(), expected.end(), 0.0f);
    EXPECT_EQ(predictions(model, communicator, data, block), expected) << "block " << block;
  }
}

TEST(Predict, GivesProbabilitiesAndTheSameBitsOnAnyNumberOfRanks) {
  const Communicator communicator = world();
  const Network model = trained_classifier();
  for (const std::int64_t rows : {1, 3, 11}) {
    const TinyData data = test::classified_rows(rows, 4, 3);
    const std::vector<float> shared = predictions(model, communicator, data, 3);
    const std::vector<float> reference = predictions(model, alone(), data, 3);
    if (!communicator.is_root()) continue;
    EXPECT_EQ(shared, reference);
    EXPECT_NEAR(shared[0] + shared[1] + shared[2], 1.0, 1e-6);
  }
}

TEST(Predict, NeedsSeveralRoundsForManyRows) {
  const Communicator communicator = world();
  Network model = test::linear_network(1, "mse", 0.1, "ones");
  model.initialize(0);
  // More than 2^21 outputs on every rank make a second round.
  const auto rows = static_cast<std::size_t>(communicator.size()) * (2u << 20) + 5;
  TinyData data{std::vector<float>(rows), {}, {1}, {1}};
  for (std::size_t i = 0; i < rows; ++i) data.x[i] = static_cast<float>(i % 1000);
  const std::vector<float> all = predictions(model, communicator, data, 1 << 16);
  if (communicator.is_root()) {
    EXPECT_TRUE(all == data.x);
  }
}

}  // namespace
}  // namespace lockstep
