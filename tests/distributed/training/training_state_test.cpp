#include "distributed/training/training_state.hpp"

#include <cmath>
#include <limits>

#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

TEST(TrainingStateText, KeepsEveryNumberWithItsBits) {
  TrainingState state;
  state.epoch = 3;
  state.stopped = true;
  state.seed = std::numeric_limits<std::uint64_t>::max();
  EpochReport report;
  report.epoch = 3;
  report.loss = std::numeric_limits<double>::infinity();
  report.metrics = {{"accuracy", 0.1}, {"mae", std::numeric_limits<double>::denorm_min()}};
  report.validation_loss = std::numeric_limits<double>::quiet_NaN();
  report.validation_metrics = {{"accuracy", -std::numeric_limits<double>::infinity()},
                               {"mae", -0.0}};
  report.learning_rate = 1.0 / 3;
  report.train_seconds = 1e-300;
  report.samples_per_second = std::numeric_limits<double>::max();
  state.history = {EpochReport(), report};
  state.callbacks = {{"early_stopping", "{\"best\": \"inf\"}"}, {"other", "any \"text\"\n"}};

  const TrainingState read = training_state_from_json(to_json_text(state));

  EXPECT_EQ(read.epoch, 3);
  EXPECT_TRUE(read.stopped);
  EXPECT_EQ(read.seed, state.seed);
  EXPECT_EQ(read.callbacks, state.callbacks);
  ASSERT_EQ(read.history.size(), 2u);
  EXPECT_FALSE(read.history[0].validation_loss);
  const EpochReport& last = read.history[1];
  EXPECT_EQ(last.epoch, 3);
  EXPECT_EQ(last.loss, report.loss);
  EXPECT_EQ(last.metrics, report.metrics);
  EXPECT_TRUE(std::isnan(last.validation_loss.value()));
  EXPECT_EQ(last.validation_metrics, report.validation_metrics);
  EXPECT_TRUE(std::signbit(last.validation_metrics[1].second));
  EXPECT_EQ(last.learning_rate, report.learning_rate);
  EXPECT_EQ(last.train_seconds, report.train_seconds);
  EXPECT_EQ(last.samples_per_second, report.samples_per_second);
  EXPECT_EQ(to_json_text(read), to_json_text(state));
}

TEST(TrainingStateText, IsRefusedIfItIsDamagedOrOfANewerFormat) {
  const std::string good = to_json_text(TrainingState{});
  const auto expect_refusal = [](const std::string& text, const std::string& word) {
    test::expect_error(ExitCode::kBadData, {"[training state]", word},
                       [&] { training_state_from_json(text); });
  };
  expect_refusal(good.substr(0, good.size() / 2), "");
  expect_refusal("", "");
  expect_refusal("[1, 2]", "");
  expect_refusal("{}", "format");
  std::string newer = good;
  newer.replace(newer.find("\"format\":1"), 10, "\"format\":2");
  expect_refusal(newer, "expected format 1, got 2");
  std::string without_epoch = good;
  without_epoch.replace(without_epoch.find("\"epoch\""), 7, "\"other\"");
  expect_refusal(without_epoch, "epoch");
}

}  // namespace
}  // namespace lockstep
