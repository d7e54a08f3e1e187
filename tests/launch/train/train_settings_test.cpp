#include "launch/train/train_settings.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "launch/train/train_fields.hpp"
#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// --data and --layers, and these.
TrainSettings parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--data", "d.h5", "--layers", "Dense(10)"});
  return parse_train_settings(arguments);
}

class TrainConfig : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ = std::filesystem::path(testing::TempDir()) / ("lockstep_" + name + ".cfg");
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string write(const std::string& text) const {
    std::ofstream(path_) << text;
    return path_.string();
  }
  std::filesystem::path path_;
};

TEST(TrainSettings, HaveKerasDefaults) {
  const TrainSettings settings = parse({});

  EXPECT_EQ(settings.training.epochs, 1);
  EXPECT_EQ(settings.training.batch_size, 32);
  EXPECT_EQ(settings.training.validation_split, 0);
  EXPECT_TRUE(settings.training.shuffle);
  EXPECT_FALSE(settings.test_wanted);
}

TEST(TrainSettings, ReadNumbersSwitchesAndTexts) {
  const TrainSettings settings =
      parse({"--epochs", "5", "--validation-split=0.2", "--no-shuffle", "--nesterov", "--metrics",
             "", "--x-test", "", "--resume", "never", "--seed", "9223372036854775807"});

  EXPECT_EQ(settings.training.epochs, 5);
  EXPECT_EQ(settings.training.validation_split, 0.2);
  EXPECT_FALSE(settings.training.shuffle);
  EXPECT_EQ(settings.optimizer_settings["nesterov"], true);
  EXPECT_EQ(settings.metrics, "");
  EXPECT_EQ(settings.x_test, "");
  EXPECT_EQ(settings.resume, Resume::kNever);
  EXPECT_EQ(settings.training.seed, 9223372036854775807u);
}

TEST(TrainSettings, RefuseValuesOutOfRangeByName) {
  const auto refuses = [](const std::string& option, const std::string& value,
                          const std::string& expected) {
    expect_error(
        ExitCode::kUsage,
        [&] {
          parse({"--" + option, value});
        },
        "--" + option, expected, "got '" + value + "'");
  };
  refuses("epochs", "99999999999", "an integer from 1 to 1000000000");
  refuses("epochs", "0", "an integer from 1");
  refuses("epochs", "-3", "an integer from 1");
  refuses("epochs", "5.0", "an integer");
  refuses("epochs", "", "an integer");
  refuses("batch-size", "18446744073709551617", "an integer from 1");
  refuses("validation-split", "1", ">= 0 and < 1");
  refuses("validation-split", "nan", ">= 0 and < 1");
  refuses("learning-rate", "-0.1", ">= 0");
  refuses("learning-rate", "1e999", ">= 0");
  refuses("keep", "0", "from 1");
  refuses("verbose", "3", "from 0 to 2");
  refuses("resume", "perhaps", "auto, required or never");
  refuses("min-delta", "0.1x", "a number");
}

TEST(TrainSettings, RefuseContradictions) {
  const auto refuses = [](const std::vector<std::string>& arguments, const std::string& message) {
    expect_error(
        ExitCode::kUsage, [&] { parse(arguments); }, message);
  };
  refuses({"--model", "m.json"}, "--model and --layers");
  refuses({"--shuffle", "--no-shuffle"}, "--shuffle and --no-shuffle");
  refuses({"--batch-size", "4", "--batch-size-per-rank", "4"}, "--batch-size");
  refuses({"--x-val", "x"}, "--x-val and --y-val together");
  refuses({"--x-val", "x", "--y-val", "y", "--validation-split", "0.1"}, "--validation-split");
  refuses({"--patience", "3"}, "--early-stopping");
  refuses({"--early-stopping", "val_loss"}, "--validation-split");
  refuses({"--baseline", "3"}, "--early-stopping");
  refuses({"--reduce-lr-factor", "0.5"}, "--reduce-lr-on-plateau");
  refuses({"--reduce-lr-on-plateau", "val_loss"}, "--validation-split");
  refuses({"--reduce-lr-on-plateau", "loss", "--learning-rate-expression", "rate"},
          "expected one of");
  refuses({"--learning-rate-expression", "rate *"}, "column 8");
  refuses({"--learning-rate-expression", "step"}, "column 1");
  refuses({"--save-best", "val_accuracy"}, "--validation-split");
  refuses({"--overwrite", "--resume", "required"}, "--overwrite");
  expect_error(
      ExitCode::kUsage,
      [] {
        parse_train_settings({"--data", "d.h5"});
      },
      "one of --model, --layers and --from, got none");
  expect_error(
      ExitCode::kUsage,
      [] {
        parse_train_settings({"--layers", "Dense(1)"});
      },
      "--data");
}

TEST_F(TrainConfig, GivesWayToTheCommandLine) {
  const std::string config =
      write("data = d.h5\nlayers = Dense(1)\nepochs = 7\nbatch-size = 8\nshuffle = false\n");

  const TrainSettings settings = parse_train_settings(
      {config, "--epochs", "9", "--model", "m.json", "--batch-size-per-rank", "4"});

  EXPECT_EQ(settings.training.epochs, 9);
  EXPECT_EQ(settings.model, "m.json");
  EXPECT_EQ(settings.layers, "");
  EXPECT_EQ(settings.batch_size_per_rank, 4);
  EXPECT_FALSE(settings.training.shuffle);
}

TEST_F(TrainConfig, NamesFileLineAndNearestKeyOfAnUnknownKey) {
  const std::string config = write("data = d.h5\n\nepoch = 5\n");

  expect_error(
      ExitCode::kUsage, [&] { parse_train_settings({config}); }, config, "line 3",
      "unknown key 'epoch'", "did you mean 'epochs'?");
}

TEST_F(TrainConfig, NamesFileAndLineOfAWrongValue) {
  const std::string config = write("data = d.h5\nepochs = many\n");

  expect_error(
      ExitCode::kUsage, [&] { parse_train_settings({config}); }, config,
      "line 2: epochs: expected an integer", "'many'");
}

TEST_F(TrainConfig, MustBeThere) {
  expect_error(
      ExitCode::kMissingInput, [&] { parse_train_settings({path_.string()}); }, path_.string());
}

TEST_F(TrainConfig, IsWrittenSoThatItReadsBackTheSame) {
  const TrainSettings settings = parse({"--epochs",
                                        "5",
                                        "--learning-rate",
                                        "0.30000000000000004",
                                        "--x-test",
                                        "",
                                        "--metrics",
                                        "",
                                        "--optimizer",
                                        "sgd",
                                        "--nesterov=false",
                                        "--early-stopping",
                                        "loss",
                                        "--patience",
                                        "2",
                                        "--run-dir",
                                        " odd # name ",
                                        "--resume",
                                        "required",
                                        "--steps-per-epoch",
                                        "3",
                                        "--dry-run"});

  const std::string text = to_config(settings);
  const TrainSettings again = parse_train_settings({write(text)});

  EXPECT_EQ(to_config(again), text);
  EXPECT_EQ(again.learning_rate, 0.30000000000000004);
  EXPECT_EQ(again.run_dir, " odd # name ");
  EXPECT_EQ(again.optimizer_settings["nesterov"], false);
  EXPECT_EQ(again.metrics, "");
  EXPECT_FALSE(again.dry_run);
  EXPECT_THAT(differing_options(settings, again), ElementsAre());
}

TEST(TrainSettings, NameWhatDiffersInResults) {
  const TrainSettings there = parse({"--batch-size", "32", "--epochs", "2", "--keep", "1"});
  const TrainSettings here =
      parse({"--batch-size", "64", "--epochs", "9", "--keep", "2", "--learning-rate", "0.1"});

  EXPECT_THAT(differing_options(there, here),
              ElementsAre("learning-rate 0.001 there, 0.1 here", "batch-size 32 there, 64 here"));
}

TEST(TrainSettings, TakeAnInputForTheSameUnderAnotherSpelling) {
  const std::string here = std::filesystem::current_path().string();  // a directory serves as well
  const auto with_data = [](const std::string& name) {
    return parse_train_settings({"--data", name, "--layers", "Dense(10)"});
  };
  EXPECT_THAT(differing_options(with_data("."), with_data(here)), ElementsAre());
  EXPECT_THAT(differing_options(with_data("."), with_data(here + "/..")),
              ElementsAre("data . there, " + here + "/.. here"));
  EXPECT_THAT(differing_options(with_data("gone.h5"), with_data("./gone.h5")),
              ElementsAre("data gone.h5 there, ./gone.h5 here"));
}

TEST(TrainSettings, ResolveDefaultsThatDependOnOthers) {
  EXPECT_THAT(to_config(parse({"--optimizer", "sgd"})), HasSubstr("learning-rate = 0.01\n"));
  EXPECT_THAT(to_config(parse({})), HasSubstr("optimizer = adam\nlearning-rate = 0.001\n"));
  const TrainSettings from = parse_train_settings({"--data", "d.h5", "--from", "m.h5"});
  EXPECT_FALSE(from.optimizer || from.learning_rate || from.loss || from.metrics);
}

TEST(TrainSettings, MultiplyTheBatchSizePerRank) {
  TrainSettings settings = parse({"--batch-size-per-rank", "16"});

  resolve_batch_size(settings, 3);

  EXPECT_EQ(settings.training.batch_size, 48);
  EXPECT_THAT(to_config(settings), HasSubstr("batch-size = 48\n"));
}

TEST(TrainSettings, HaveEveryOptionOfTheTrainerThatUsersSet) {
  const auto of_settings = [](const std::string& name) {
    return std::ranges::find(train_fields(), name, &TrainField::name);
  };
  for (const OptionField<TrainOptions>& field : train_option_fields()) {
    if (field.group.empty()) {
      EXPECT_EQ(of_settings(field.name), train_fields().end()) << field.name;
      continue;
    }
    const auto option = of_settings(field.name);
    ASSERT_NE(option, train_fields().end()) << field.name;
    TrainSettings settings;
    EXPECT_EQ(option->write(settings), field.write(settings.training)) << field.name;
    const std::string text = field.argument == "N" ? "16" : field.argument == "X" ? "0.5" : "";
    if (text.empty()) continue;
    option->read(settings, text);
    EXPECT_EQ(field.write(settings.training), text) << field.name;
  }
}

TEST(TrainSettings, AllHaveHelp) {
  std::ostringstream help;
  print_train_options(help);

  for (const TrainField& field : train_fields()) {
    EXPECT_THAT(help.str(), HasSubstr("--" + field.name));
    EXPECT_FALSE(field.help.empty()) << field.name;
  }
}

}  // namespace
}  // namespace lockstep
