#include "launch/train/progress.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

EpochReport report() {
  EpochReport report;
  report.epoch = 1;
  report.loss = 0.32141;
  report.metrics = {{"accuracy", 0.90712}};
  report.train_seconds = 2.5;
  report.samples_per_second = 19200;
  return report;
}

EpochReport validated_report() {
  EpochReport validated = report();
  validated.validation_loss = 0.17021;
  validated.validation_metrics = {{"accuracy", 0.95031}};
  validated.validation_seconds = 0.5;
  return validated;
}

TEST(KerasNumber, HasFourDecimalsOrAnExponent) {
  EXPECT_EQ(keras_number(0.32141), "0.3214");
  EXPECT_EQ(keras_number(-12.5), "-12.5000");
  EXPECT_EQ(keras_number(0.0011), "0.0011");
  EXPECT_EQ(keras_number(0.001), "1.0000e-03");
  EXPECT_EQ(keras_number(2e-5), "2.0000e-05");
  EXPECT_EQ(keras_number(0), "0.0000e+00");
}

TEST(Progress, EndsAnEpochWithTheLineOfKeras2) {
  EXPECT_EQ(finished_line(validated_report(), 1500),
            "1500/1500 [==============================] - 3s 2ms/step - loss: 0.3214 - accuracy: "
            "0.9071 - val_loss: 0.1702 - val_accuracy: 0.9503");
}

TEST(Progress, ShowsRateAndTimeLeftWhileAnEpochRuns) {
  const EpochReport so_far = report();
  const StepReport step{.epoch = 1,
                        .step = 750,
                        .steps = 1500,
                        .rows = 24000,
                        .loss = so_far.loss,
                        .so_far = &so_far,
                        .seconds = 100};

  EXPECT_EQ(running_line(step),
            " 750/1500 [==============>...............] - 240 samples/s - 1:40 left - loss: "
            "0.3214 - accuracy: 0.9071");
}

TEST(Progress, HasAnEmptyBarBeforeTheFirstThirtieth) {
  const EpochReport so_far = report();
  const StepReport step{.epoch = 1,
                        .step = 1,
                        .steps = 100,
                        .rows = 32,
                        .loss = so_far.loss,
                        .so_far = &so_far,
                        .seconds = 0};

  EXPECT_EQ(running_line(step).substr(0, 40), "  1/100 [..............................]");
}

TEST(Progress, WritesOneLineAnEpochIntoALog) {
  EXPECT_EQ(log_line(validated_report(), 5, 1500),
            "Epoch 1/5 - 3s 2ms/step - 19200 samples/s - loss: 0.3214 - accuracy: 0.9071 - "
            "val_loss: 0.1702 - val_accuracy: 0.9503");
  EXPECT_EQ(log_line(report(), 5, 1500).find("val_"), std::string::npos);
}

TEST(Progress, RoundsTheTimeOfAStepAsKerasDoes) {
  EpochReport fast = report();
  fast.train_seconds = 0.05;
  EXPECT_NE(finished_line(fast, 1500).find(" - 0s 33us/step - "), std::string::npos);
  fast.train_seconds = 90;
  EXPECT_NE(finished_line(fast, 30).find(" - 90s 3s/step - "), std::string::npos);
}

}  // namespace
}  // namespace lockstep
