#include "launch/train/training_advice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace lockstep {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// The reference program's, and one of a regression; each test makes one mistake in them.
NetworkFacts classifier() {
  NetworkFacts network;
  network.last_layer = "dense_2";
  network.activation = Activation::kSoftmax;
  network.columns = 10;
  network.loss = "sparse_categorical_crossentropy";
  network.metrics = {"accuracy"};
  network.scales_input = false;
  network.input_scale = 1.0 / 255;
  return network;
}
NetworkFacts regression() {
  NetworkFacts network;
  network.last_layer = "dense_2";
  network.loss = "mean_squared_error";
  network.metrics = {"mean_absolute_error"};
  network.scales_input = false;
  return network;
}
RowFacts pictures() {
  return {.x = "x_train",
          .y = "y_train",
          .rows = 1000,
          .x_is_bytes = true,
          .x_highest = 255,
          .y_highest = 9};
}
RowFacts numbers() {
  return {.x = "x_train",
          .y = "y_train",
          .rows = 1000,
          .x_lowest = -3,
          .x_highest = 4,
          .y_lowest = -120,
          .y_highest = 80,
          .sums_other_than_1 = 900,
          .first_such_row = 0,
          .first_such_sum = 80};
}

void expect_refused(const std::vector<Advice>& advice, const std::vector<std::string>& words) {
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_EQ(advice[0].refusal, ExitCode::kUsage) << advice[0].text;
  for (const std::string& word : words) EXPECT_THAT(advice[0].text, HasSubstr(word));
}
void expect_warned(const std::vector<Advice>& advice, const std::vector<std::string>& words) {
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_FALSE(advice[0].refusal) << advice[0].text;
  for (const std::string& word : words) EXPECT_THAT(advice[0].text, HasSubstr(word));
}

NetworkFacts with(NetworkFacts network, Activation activation, const std::string& loss,
                  std::int64_t columns) {
  network.activation = activation;
  network.loss = loss;
  network.columns = columns;
  return network;
}

TEST(TrainingAdvice, SaysNothingOfTheReferenceProgram) {
  EXPECT_THAT(advice_on(classifier()), IsEmpty());
  EXPECT_THAT(advice_on(classifier(), pictures()), IsEmpty());
}

TEST(TrainingAdvice, SaysNothingOfWhatKerasUsersDo) {
  for (const auto& [activation, loss, columns] :
       {std::tuple{Activation::kSigmoid, "binary_crossentropy", 1},
        std::tuple{Activation::kSigmoid, "binary_crossentropy", 5},
        std::tuple{Activation::kSoftmax, "binary_crossentropy", 2},
        std::tuple{Activation::kSoftmax, "categorical_crossentropy", 3},
        std::tuple{Activation::kSoftmax, "sparse_categorical_crossentropy", 2}})
    EXPECT_THAT(advice_on(with(classifier(), activation, loss, columns)), IsEmpty()) << loss;
  EXPECT_THAT(advice_on(regression()), IsEmpty());
  EXPECT_THAT(advice_on(regression(), numbers()), IsEmpty());
  NetworkFacts logits = with(classifier(), Activation::kLinear, classifier().loss, 10);
  logits.from_logits = true;
  EXPECT_THAT(advice_on(logits), IsEmpty());
}

TEST(TrainingAdvice, RefusesSoftmaxOverOneUnit) {
  NetworkFacts network = with(classifier(), Activation::kSoftmax, "binary_crossentropy", 1);
  network.constant_layer = "dense_2";
  expect_refused(advice_on(network), {"dense_2", "always 1", "Dense(1, sigmoid)"});
}

TEST(TrainingAdvice, RefusesACrossentropyOverOneClass) {
  for (const char* loss : {"sparse_categorical_crossentropy", "categorical_crossentropy"})
    for (const Activation activation : {Activation::kSigmoid, Activation::kLinear})
      expect_refused(advice_on(with(classifier(), activation, loss, 1)),
                     {loss, "one class", "--loss binary_crossentropy"});
}

TEST(TrainingAdvice, RefusesWhatIsNoProbability) {
  for (const char* loss :
       {"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"}) {
    expect_refused(advice_on(with(classifier(), Activation::kLinear, loss, 10)),
                   {"dense_2", "linear", loss, "(from_logits=True)"});
    expect_refused(advice_on(with(classifier(), Activation::kTanh, loss, 10)),
                   {"tanh", "-1 to 1", "Dense(10, "});
    expect_refused(advice_on(with(classifier(), Activation::kSelu, loss, 10)), {"selu"});
  }
}

TEST(TrainingAdvice, WarnsOfActivationsThatDoNotFitAProbability) {
  for (const Activation activation : {Activation::kRelu, Activation::kSoftplus})
    expect_warned(advice_on(with(classifier(), activation, "sparse_categorical_crossentropy", 10)),
                  {"beyond 1", "Dense(10, softmax)"});
  expect_warned(advice_on(with(classifier(), Activation::kRelu, "binary_crossentropy", 1)),
                {"relu", "Dense(1, sigmoid)"});
  for (const char* loss : {"sparse_categorical_crossentropy", "categorical_crossentropy"})
    expect_warned(advice_on(with(classifier(), Activation::kSigmoid, loss, 4)),
                  {"sigmoid", "Dense(4, softmax)", "--loss binary_crossentropy"});
}

TEST(TrainingAdvice, WarnsOfAccuracyOfARegression) {
  NetworkFacts network = regression();
  for (const char* metric : {"accuracy", "acc", "binary_accuracy"}) {
    network.metrics = {"mse", metric};
    expect_warned(advice_on(network), {metric, "--metrics mean_absolute_error"});
  }
}

TEST(TrainingAdvice, WarnsWhenNothingIsTrained) {
  NetworkFacts network = classifier();
  network.trains = false;
  expect_warned(advice_on(network), {"no layer"});
}

TEST(TrainingAdvice, WarnsOfTargetsThatAreAllTheSame) {
  RowFacts rows = pictures();
  rows.y_is_constant = true;
  expect_warned(advice_on(classifier(), rows), {"y_train", "one class"});
  rows = numbers();
  rows.y_is_constant = true;
  expect_warned(advice_on(regression(), rows), {"y_train", "the same"});
  rows.rows = 1;
  EXPECT_THAT(advice_on(regression(), rows), IsEmpty());
}

TEST(TrainingAdvice, WarnsOfRowsThatAreNoDistribution) {
  const NetworkFacts network =
      with(classifier(), Activation::kSoftmax, "categorical_crossentropy", 3);
  RowFacts rows = pictures();
  EXPECT_THAT(advice_on(network, rows), IsEmpty());
  rows.sums_other_than_1 = 12;
  rows.first_such_row = 7;
  rows.first_such_sum = 2;
  expect_warned(advice_on(network, rows), {"12 of 1000", "row 7: 2", "Dense(3, sigmoid)"});
}

TEST(TrainingAdvice, WarnsOfTargetsThatTheActivationCannotReach) {
  for (const Activation activation :
       {Activation::kSigmoid, Activation::kTanh, Activation::kRelu, Activation::kSoftplus})
    expect_warned(advice_on(with(regression(), activation, "mean_squared_error", 1), numbers()),
                  {"y_train", "-120 to 80", "Dense(1)"});
  RowFacts rows = numbers();
  rows.y_lowest = 0;
  EXPECT_THAT(advice_on(with(regression(), Activation::kRelu, "huber", 1), rows), IsEmpty());
}

TEST(TrainingAdvice, WarnsOfClassesWithAnErrorOfNumbers) {
  RowFacts rows = numbers();
  rows.y_lowest = 0;
  rows.y_highest = 1;
  rows.sums_other_than_1 = 0;
  expect_warned(advice_on(with(regression(), Activation::kSoftmax, "mean_squared_error", 3), rows),
                {"--loss categorical_crossentropy"});
}

TEST(TrainingAdvice, WarnsOfRawPictures) {
  NetworkFacts network = classifier();
  network.input_scale = 1;
  expect_warned(advice_on(network, pictures()), {"x_train", "255", "Rescaling(1/255)"});
  network.scales_input = true;  // a normalisation in front
  EXPECT_THAT(advice_on(network, pictures()), IsEmpty());
}

TEST(TrainingAdvice, WarnsOfLargeInputs) {
  RowFacts rows = numbers();
  rows.x_lowest = -284000;
  expect_warned(advice_on(regression(), rows), {"-284000", "Rescaling(1/284000)"});
  rows.x_lowest = -900;
  EXPECT_THAT(advice_on(regression(), rows), IsEmpty());
}

RateFacts rates(std::int64_t first, std::int64_t steps, std::int64_t last_with_rate) {
  return {false, first, steps,
          [=](std::int64_t step) { return step <= last_with_rate ? 0.1 : 0.0; }};
}

TEST(TrainingAdvice, RefusesRatesThatAreAllZero) {
  expect_refused(advice_on(rates(1000, 50, 999)),
                 {"50 steps", "step 1001", "--learning-rate 0.001", "has ended"});
  expect_refused(advice_on(rates(0, 5, -1)), {"--learning-rate 0.001"});
}

TEST(TrainingAdvice, WarnsOfRatesThatEndEarly) {
  expect_warned(advice_on(rates(0, 100, 79)), {"last 20 of 100", "--decay-steps"});
  EXPECT_THAT(advice_on(rates(0, 100, 98)), IsEmpty());
  EXPECT_THAT(advice_on(rates(0, 0, -1)), IsEmpty());
}

TEST(TrainingAdvice, LetsAConstantBeZero) {
  RateFacts zero = rates(0, 5, -1);
  zero.constant = true;
  EXPECT_THAT(advice_on(zero), IsEmpty());
}

TEST(TrainingAdvice, LetsARateBeginAtZero) {
  RateFacts rising = rates(0, 5, 4);  // so few that one of them would be worth a warning
  rising.rate = [](std::int64_t step) { return 0.1 * static_cast<double>(step); };
  EXPECT_THAT(advice_on(rising), IsEmpty());
}

TEST(TrainingAdvice, HasAMetricForEveryLoss) {
  using testing::ElementsAre;
  EXPECT_THAT(default_metrics("sparse_categorical_crossentropy"), ElementsAre("accuracy"));
  EXPECT_THAT(default_metrics("binary_crossentropy"), ElementsAre("accuracy"));
  EXPECT_THAT(default_metrics("mean_squared_error"), ElementsAre("mean_absolute_error"));
  EXPECT_THAT(default_metrics("huber"), ElementsAre("mean_absolute_error"));
  EXPECT_THAT(default_metrics("mean_absolute_error"), ElementsAre("mean_squared_error"));
  EXPECT_THAT(default_metrics("categorical_focal_crossentropy"), ElementsAre("accuracy"));
  EXPECT_THAT(default_metrics("categorical_hinge"), ElementsAre("categorical_accuracy"));
  EXPECT_THAT(default_metrics("squared_hinge"), IsEmpty());
}

TEST(TrainingAdvice, LogarithmsWantOutputsAboveZero) {
  expect_warned(advice_on(with(regression(), Activation::kLinear, "poisson", 1)),
                {"poisson takes outputs for rates above 0", "Dense(1, exponential)"});
  EXPECT_THAT(advice_on(with(regression(), Activation::kExponential, "poisson", 1)), IsEmpty());
  NetworkFacts distribution = with(regression(), Activation::kTanh, "kl_divergence", 3);
  expect_warned(advice_on(distribution), {"kl_divergence takes outputs for probabilities"});
  distribution.activation = Activation::kSoftmax;
  EXPECT_THAT(advice_on(distribution), IsEmpty());
}

}  // namespace
}  // namespace lockstep
