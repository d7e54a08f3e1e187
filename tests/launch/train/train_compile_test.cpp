#include "launch/train/train_compile.hpp"

#include <gmock/gmock.h>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;

TrainSettings settings_for(std::vector<std::string> arguments, const char* network) {
  arguments.insert(arguments.end(), {"--data", "d.h5", network, "network"});
  return parse_train_settings(arguments);
}

Json optimizer_of(const std::vector<std::string>& arguments) {
  return optimizer_json(settings_for(arguments, "--layers"), Json());
}

/// With --from, for a file that holds this optimizer.
Json optimizer_over(const Json& saved, const std::vector<std::string>& arguments) {
  return optimizer_json(settings_for(arguments, "--from"), saved);
}

TEST(OptimizerJson, IsPlainAdamByDefault) {
  EXPECT_EQ(optimizer_of({}),
            Json({{"class_name", "Adam"}, {"config", {{"learning_rate", 0.001}}}}));
}

TEST(OptimizerJson, HasKerasNamesForSettings) {
  const Json json = optimizer_of(
      {"--optimizer", "SGD", "--learning-rate", "0.1", "--momentum", "0.9", "--nesterov"});

  EXPECT_EQ(json["class_name"], "SGD");
  EXPECT_EQ(json["config"], Json({{"momentum", 0.9}, {"nesterov", true}, {"learning_rate", 0.1}}));
}

TEST(OptimizerJson, RefusesWhatTheOptimizerLacks) {
  expect_error(
      ExitCode::kUsage,
      [] {
        optimizer_of({"--momentum", "0.9"});
      },
      "--momentum", "adam", "beta-1");
  expect_error(
      ExitCode::kUsage,
      [] {
        optimizer_of({"--optimizer", "sgd", "--beta-1", "0.5"});
      },
      "--beta-1", "sgd");
  expect_error(
      ExitCode::kUsage,
      [] {
        optimizer_of({"--optimizer", "adan"});
      },
      "adam, adamw, sgd", "'adan'", "did you mean 'adam'?");
}

TEST(OptimizerJson, HasWhatAllOptimizersHave) {
  const Json config =
      optimizer_of({"--optimizer", "adamw", "--weight-decay", "0.1", "--use-ema", "--ema-momentum",
                    "0.9", "--ema-overwrite-frequency", "10", "--gradient-accumulation-steps", "4",
                    "--clipvalue", "0.5"})["config"];
  EXPECT_EQ(config, Json({{"weight_decay", 0.1},
                          {"clipvalue", 0.5},
                          {"use_ema", true},
                          {"ema_momentum", 0.9},
                          {"ema_overwrite_frequency", 10},
                          {"gradient_accumulation_steps", 4},
                          {"learning_rate", 0.001}}));
  expect_error(
      ExitCode::kUsage,
      [] {
        optimizer_of({"--clipnorm", "1", "--clipvalue", "1"});
      },
      "expected one of --clipnorm and --clipvalue, got both");
  expect_error(
      ExitCode::kUsage,
      [] {
        optimizer_of({"--ema-momentum", "0.9"});
      },
      "--ema-momentum: expected --use-ema with it");
}

TEST(OptimizerJson, ReplacesTheClippingOfASavedOptimizer) {
  const Json saved = {{"class_name", "Adam"}, {"config", {{"clipnorm", 0.8}, {"use_ema", true}}}};
  EXPECT_EQ(optimizer_over(saved, {"--clipvalue", "0.5", "--ema-momentum", "0.75"})["config"],
            Json({{"use_ema", true}, {"clipvalue", 0.5}, {"ema_momentum", 0.75}}));
}

TEST(OptimizerJson, HasEverySchedule) {
  EXPECT_EQ(optimizer_of({"--learning-rate-schedule", "polynomial", "--decay-steps", "5", "--power",
                          "2", "--cycle"})["config"]["learning_rate"],
            Json({{"class_name", "PolynomialDecay"},
                  {"config",
                   {{"initial_learning_rate", 0.001},
                    {"decay_steps", 5},
                    {"power", 2.0},
                    {"cycle", true}}}}));
  EXPECT_EQ(optimizer_of({"--learning-rate-schedule", "cosine_restarts", "--first-decay-steps", "5",
                          "--t-mul", "1"})["config"]["learning_rate"]["class_name"],
            "CosineDecayRestarts");
  EXPECT_EQ(optimizer_of({"--learning-rate-schedule", "inverse_time", "--decay-steps", "5",
                          "--decay-rate", "1"})["config"]["learning_rate"]["class_name"],
            "InverseTimeDecay");
}

TEST(OptimizerJson, HoldsKerasSchedules) {
  EXPECT_EQ(
      optimizer_of({"--learning-rate-schedule", "cosine", "--decay-steps", "100", "--warmup-steps",
                    "10", "--warmup-target", "0.01"})["config"]["learning_rate"],
      Json({{"class_name", "CosineDecay"},
            {"config",
             {{"initial_learning_rate", 0.001},
              {"decay_steps", 100},
              {"warmup_steps", 10},
              {"warmup_target", 0.01}}}}));
  EXPECT_EQ(optimizer_of({"--learning-rate-schedule", "piecewise", "--boundaries", "10, 20",
                          "--values", "1,0.5,0.1"})["config"]["learning_rate"],
            Json({{"class_name", "PiecewiseConstantDecay"},
                  {"config", {{"boundaries", {10, 20}}, {"values", {1.0, 0.5, 0.1}}}}}));
}

TEST(OptimizerJson, RefusesIncompleteAndForeignScheduleSettings) {
  const auto refuses = [](const std::vector<std::string>& arguments, const std::string& message) {
    expect_error(
        ExitCode::kUsage, [&] { optimizer_of(arguments); }, message);
  };
  refuses({"--decay-steps", "5"}, "--learning-rate-schedule");
  refuses({"--learning-rate-schedule", "cosine"}, "--decay-steps");
  refuses({"--learning-rate-schedule", "exponential", "--decay-steps", "5"}, "--decay-rate");
  refuses({"--learning-rate-schedule", "exponential", "--decay-steps", "5", "--alpha", "1"},
          "--alpha");
  refuses({"--learning-rate-schedule", "cosine", "--decay-steps", "5", "--warmup-steps", "1"},
          "--warmup-target");
  refuses({"--learning-rate-schedule", "piecewise", "--boundaries", "1,2", "--values", "1,2"},
          "--values");
  refuses({"--learning-rate-schedule", "piecewise", "--boundaries", "1,x", "--values", "1,2,3"},
          "--boundaries");
  refuses({"--learning-rate-schedule", "cosin"}, "did you mean 'cosine'?");
}

TEST(OptimizerJson, KeepsTheSettingsOfASavedOptimizer) {
  const Json saved = {{"class_name", "Adam"}, {"config", {{"beta_1", 0.8}, {"learning_rate", 1}}}};

  EXPECT_EQ(optimizer_over(saved, {"--learning-rate", "0.5"})["config"],
            Json({{"beta_1", 0.8}, {"learning_rate", 0.5}}));
  EXPECT_EQ(optimizer_over(saved, {"--optimizer", "sgd"})["config"], Json::object());
  EXPECT_EQ(optimizer_over(saved, {"--optimizer", "adam"})["config"]["beta_1"], 0.8);
}

TEST(SplitNames, TakesCommasAndBlanks) {
  EXPECT_THAT(split_names(" accuracy, mse ,"), ElementsAre("accuracy", "mse"));
  EXPECT_THAT(split_names("AUC(curve=PR, name=pr), mse"),
              ElementsAre("AUC(curve=PR, name=pr)", "mse"));
  EXPECT_THAT(split_names(""), ElementsAre());
}

}  // namespace
}  // namespace lockstep
