#include "launch/cli/option_parser.hpp"

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

po::variables_map parse(const std::vector<std::string>& arguments) {
  po::options_description options;
  options.add_options()("epochs", po::value<std::int64_t>()->default_value(1), "")(
      "name", po::value<std::string>(), "")("json", "")("file", po::value<std::string>(), "");
  po::positional_options_description positional;
  positional.add("file", 1);
  return parse_arguments(arguments, options, positional);
}

TEST(OptionParser, ReadsOptionsAndPositionalArguments) {
  const auto values = parse({"a.h5", "--epochs=5", "--name", "x y", "--json"});

  EXPECT_EQ(values["file"].as<std::string>(), "a.h5");
  EXPECT_EQ(values["epochs"].as<std::int64_t>(), 5);
  EXPECT_EQ(values["name"].as<std::string>(), "x y");
  EXPECT_TRUE(values.contains("json"));
}

TEST(OptionParser, TakesAnEmptyValue) {
  EXPECT_EQ(parse({"--name", ""})["name"].as<std::string>(), "");
}

TEST(OptionParser, NamesTheNearestKnownOption) {
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--epoch", "5"});
      },
      "'--epoch'", "did you mean '--epochs'?");
  expect_error(
      ExitCode::kUsage, [] { parse({"-n"}); }, "unknown option '-n'");
}

TEST(OptionParser, RefusesAbbreviations) {
  expect_error(
      ExitCode::kUsage, [] { parse({"--js"}); }, "unknown option '--js'");
}

TEST(OptionParser, RefusesAnOptionGivenTwice) {
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--epochs", "5", "--epochs", "6"});
      },
      "--epochs", "once");
}

TEST(OptionParser, RefusesMissingAndWrongValuesByName) {
  expect_error(
      ExitCode::kUsage, [] { parse({"--epochs"}); }, "--epochs");
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--epochs", "--json"});
      },
      "--epochs");
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--epochs", "five"});
      },
      "--epochs", "five");
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"--epochs", "99999999999999999999"});
      },
      "--epochs");
}

TEST(OptionParser, RefusesAnArgumentTooMany) {
  expect_error(
      ExitCode::kUsage,
      [] {
        parse({"a.h5", "b.h5"});
      },
      "at most 1 argument");
}

TEST(OptionParser, EscapesWhatATerminalWouldObey) {
  expect_error(
      ExitCode::kUsage, [] { parse({"--\x1b[2J"}); }, "\\x1b[2J");
}

TEST(OptionParser, ChecksTheRangeOfACount) {
  EXPECT_EQ(checked_count(parse({"--epochs", "7"}), "epochs", 7), 7);
  expect_error(
      ExitCode::kUsage,
      [] {
        checked_count(parse({"--epochs", "8"}), "epochs", 7);
      },
      "--epochs", "from 1 to 7", "got 8");
  expect_error(
      ExitCode::kUsage,
      [] {
        checked_count(parse({"--epochs", "-3"}), "epochs", 7);
      },
      "got -3");
}

TEST(OptionParser, FindsHelpAnywhere) {
  EXPECT_TRUE(wants_help({"a", "--help"}));
  EXPECT_TRUE(wants_help({"-h"}));
  EXPECT_FALSE(wants_help({"help"}));
}

}  // namespace
}  // namespace lockstep
