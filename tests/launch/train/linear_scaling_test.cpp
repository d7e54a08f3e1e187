#include "launch/train/linear_scaling.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "launch/train/train_compile.hpp"
#include "src/optimizers/make_optimizer.hpp"
#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

TrainSettings parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--data", "d.h5", "--layers", "Dense(10)"});
  return parse_train_settings(arguments);
}

std::vector<double> rates(const TrainSettings& settings, std::vector<std::int64_t> steps) {
  const auto optimizer = make_optimizer(optimizer_json(settings, {}));
  std::vector<double> result;
  for (const std::int64_t step : steps) result.push_back(optimizer->schedule().rate(step));
  return result;
}

TEST(LinearScaling, RisesToTheRateOfTheLargerBatchAndStaysThere) {
  TrainSettings settings = parse({"--batch-size", "256", "--linear-scaling", "32",
                                  "--warmup-epochs", "2", "--optimizer", "sgd"});
  const std::string text = resolve_linear_scaling(settings, 50);
  EXPECT_THAT(text, HasSubstr("0.01 for batches of 32, 0.08 for 256"));
  EXPECT_THAT(text, HasSubstr("--warmup-steps 100 --warmup-target 0.08"));
  const std::vector<double> expected{0.01, 0.045, 0.08, 0.08, 0.08};
  EXPECT_THAT(rates(settings, {0, 50, 100, 101, 100'000}),
              testing::Pointwise(testing::DoubleNear(1e-12), expected));
  EXPECT_EQ(resolve_linear_scaling(settings, 50), "");
  EXPECT_EQ(to_config(settings).find("linear"), std::string::npos);
}

TEST(LinearScaling, GivesACosineItsWarmUp) {
  TrainSettings settings =
      parse({"--batch-size", "64", "--linear-scaling", "32", "--learning-rate", "0.5",
             "--learning-rate-schedule", "cosine", "--decay-steps", "200"});
  resolve_linear_scaling(settings, 10);
  const std::vector<double> expected{0.5, 1, 0.5, 0};
  EXPECT_THAT(rates(settings, {0, 50, 150, 250}),
              testing::Pointwise(testing::DoubleNear(1e-12), expected));
}

TEST(LinearScaling, NeedsNoWarmUpForSmallerBatches) {
  TrainSettings settings = parse({"--batch-size", "8", "--linear-scaling", "32"});
  EXPECT_THAT(resolve_linear_scaling(settings, 10), HasSubstr("--learning-rate 0.00025"));
  EXPECT_EQ(*settings.learning_rate, 0.00025);
  EXPECT_FALSE(settings.schedule);
}

TEST(LinearScaling, IsRefusedWithWhatItSetsItself) {
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--warmup-epochs", "3"});
      },
      "--linear-scaling");
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--linear-scaling", "32", "--reduce-lr-on-plateau", "loss"});
      },
      "--linear-scaling");
  for (std::vector<std::string> more :
       {std::vector<std::string>{"--learning-rate-schedule", "polynomial"},
        {"--learning-rate-schedule", "cosine", "--warmup-steps", "3", "--warmup-target", "1"},
        {"--learning-rate-schedule", "piecewise"}}) {
    more.insert(more.end(), {"--linear-scaling", "8"});
    TrainSettings settings = parse(more);
    expect_error(
        ExitCode::kUsage, [&] { resolve_linear_scaling(settings, 10); }, "--linear-scaling");
  }
}

}  // namespace
}  // namespace lockstep
