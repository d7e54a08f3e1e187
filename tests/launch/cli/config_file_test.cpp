#include "launch/cli/config_file.hpp"

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

TEST(ConfigFile, ReadsKeysValuesAndLines) {
  const auto entries =
      parse_config("# comment\n\n data = a b.h5 \r\nx=/g/x#1 # rest\nempty =", "c");

  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].key, "data");
  EXPECT_EQ(entries[0].value, "a b.h5");
  EXPECT_EQ(entries[0].line, 3);
  EXPECT_EQ(entries[1].value, "/g/x#1");
  EXPECT_EQ(entries[2].value, "");
  EXPECT_EQ(entries[2].line, 5);
}

TEST(ConfigFile, ReadsQuotedValues) {
  const auto entries = parse_config(R"(a = " x # \"y\" \\ " # comment)", "c");

  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].value, R"( x # "y" \ )");
}

TEST(ConfigFile, NamesFileAndLineOfWhatIsWrong) {
  expect_error(
      ExitCode::kUsage, [] { parse_config("a = 1\nb", "c.cfg"); }, "[c.cfg] line 2",
      "'key = value'", "'b'");
  expect_error(
      ExitCode::kUsage, [] { parse_config("a = 1\n\na = 2", "c.cfg"); }, "[c.cfg] line 3",
      "'a' once", "line 1");
  expect_error(
      ExitCode::kUsage, [] { parse_config("a = \"x", "c.cfg"); }, "closing quote");
  expect_error(
      ExitCode::kUsage, [] { parse_config("a = \"x\" y", "c.cfg"); }, "nothing behind");
}

TEST(ConfigFile, ReadsBackWhatItWrites) {
  for (const std::string value :
       {"", "plain", " blanks ", "a # b", "#", "\"quoted\"", "back\\slash", "two\nlines", "a=b",
        "Dense(64, \"relu\")", "C:\\new"}) {
    const auto entries = parse_config(config_line("key", value), "c");
    ASSERT_EQ(entries.size(), 1u) << value;
    EXPECT_EQ(entries[0].value, value);
  }
}

}  // namespace
}  // namespace lockstep
