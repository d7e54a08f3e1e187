#include "distributed/training/class_weights.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "distributed/training/loss_sums.hpp"
#include "distributed/training/trainer.hpp"
#include "tests/support/over_ranks.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/tiny_training.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

void expect_refused(const char* text) {
  try {
    read_class_weights(text);
    ADD_FAILURE() << text << " was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("expected"));
  }
}

TEST(ClassWeights, AreReadFromTextAndWritten) {
  EXPECT_EQ(to_text(read_class_weights("0:1, 3: 2.5")), "0:1,3:2.5");
  EXPECT_EQ(to_text(read_class_weights("balanced")), "balanced");
  EXPECT_TRUE(read_class_weights("").empty());
  for (const char* text : {"1", "a:1", "1:", "1:-2", "1:2,1:3", "-1:2", "0:nan", "0:1;1:2"})
    expect_refused(text);
}

/// Sums of one block with these weights.
double loss_of(const Network& model, std::vector<float> outputs, const Targets& targets,
               const ClassWeights& weights, std::vector<float>& gradient) {
  const std::int64_t columns = model.output_columns();
  const std::int64_t rows = std::ssize(outputs) / columns;
  gradient.assign(outputs.size(), 0);
  std::vector<double> sums(loss_sum_count(model.objective()));
  loss_sums_of(model.objective(), {outputs.data(), rows, columns}, targets, {},
               {gradient.data(), rows, columns}, 0.5f, sums, weights);
  EXPECT_EQ(sums[1], 1.0);  // accuracy knows of no weights
  return sums[0];
}

TEST(ClassWeights, MultiplyLossesAndGradients) {
  const Network model = test::classifier(2, 2, 3);
  const std::vector<std::int32_t> classes{2, 0, 0, 1};
  const std::vector<float> outputs{0.5f, 1, 0, 2, 1, 0, -1, 0.25f, 0.5f, 1, 0.5f, 0};
  const Targets targets{.classes = classes, .values = {}};
  const ClassWeights weights({.balanced = false, .weights = {{0, 3}, {2, 0.5}}}, model.objective(),
                             {});
  std::vector<float> plain, weighted, one;
  loss_of(model, outputs, targets, {}, plain);
  const double sum = loss_of(model, outputs, targets, weights, weighted);
  const std::vector<float> expected{0.5f, 3, 3, 1};
  double by_hand = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<float> row(outputs.begin() + static_cast<std::ptrdiff_t>(3 * i),
                           outputs.begin() + static_cast<std::ptrdiff_t>(3 * i + 3));
    const Matrix p{row.data(), 1, 3};
    by_hand += static_cast<double>(expected[i]) *
               model.loss().compute(p, targets.slice(static_cast<std::int64_t>(i), 1), {}, 1, true);
    for (std::size_t j = 0; j < 3; ++j)
      EXPECT_FLOAT_EQ(weighted[3 * i + j], expected[i] * plain[3 * i + j]);
  }
  EXPECT_NEAR(sum, by_hand, 1e-12);
}

TEST(ClassWeights, BalancedOnesMakeClassesCountAlike) {
  const Network model = test::classifier(2, 2, 3);
  const std::vector<float> y{0, 0, 0, 2};
  const ClassWeights weights({.balanced = true, .weights = {}}, model.objective(),
                             array_view<float>(y, {}));
  const std::vector<std::int32_t> classes{0, 1, 2};
  const Targets targets{.classes = classes, .values = {}};
  EXPECT_FLOAT_EQ(weights.of(targets, 0), 4.0f / (2 * 3));
  EXPECT_FLOAT_EQ(weights.of(targets, 1), 1);
  EXPECT_FLOAT_EQ(weights.of(targets, 2), 4.0f / (2 * 1));
}

TEST(ClassWeights, OfClassesThatThereAreNotAreRefused) {
  const Network model = test::classifier(2, 2, 3);
  const auto refused = [&](std::int64_t label, double weight, const char* message) {
    try {
      ClassWeights({.balanced = false, .weights = {{label, weight}}}, model.objective(), {});
      ADD_FAILURE() << "expected an error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  };
  refused(3, 1, "expected classes from 0 to 2, got 3");
  refused(-1, 1, "expected classes from 0 to 2, got -1");
  refused(1, -2, "for class 1, got -2");
}

TEST(ClassWeights, GiveTheSameBitsOnAnyNumberOfRanks) {
  const auto train = [](const Communicator& ranks) {
    Network model = test::classifier(5, 7, 3);
    TrainOptions options{.epochs = 2, .batch_size = 24};
    options.class_weight = read_class_weights("0:0.5,2:3");
    const test::TinyData data = test::classified_rows(60, 5, 3);
    Trainer trainer(model, Communicator(ranks.get()), options);
    const double loss = trainer.fit(data.view()).back().loss;
    std::vector<float> values(model.arena().values().begin(), model.arena().values().end());
    values.push_back(static_cast<float>(loss));
    return values;
  };
  EXPECT_EQ(train(test::world()), train(test::alone()));
}

}  // namespace
}  // namespace lockstep
