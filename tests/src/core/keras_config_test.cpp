#include "src/core/keras_config.hpp"

#include <gtest/gtest.h>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

/// Reading this from the config of [thing] is refused with this message by finish(), not before.
template <class Read>
void expect_refused(const char* json, const Read& read, const char* message) {
  const Json parsed = Json::parse(json);
  KerasConfig config(parsed, settings_of("thing"));
  read(config);
  expect_error(
      ExitCode::kBadData, [&] { config.finish(); }, HasSubstr(message));
}

TEST(KerasConfig, ReadsTypedSettingsWithDefaults) {
  const Json json = Json::parse(
      R"({"a": 2, "b": 0.5, "c": true, "d": "word", "e": 100.0, "n": null, "s": [3, 4]})");
  KerasConfig config(json, settings_of("thing"));
  EXPECT_EQ(config.number("a"), 2.0);
  EXPECT_EQ(config.number("b", 7.0), 0.5);
  EXPECT_EQ(config.number("absent", 7.0), 7.0);
  EXPECT_TRUE(config.boolean("c", false));
  EXPECT_TRUE(config.boolean("absent", true));
  EXPECT_EQ(config.text("d", "x"), "word");
  EXPECT_EQ(config.text("absent", "x"), "x");
  EXPECT_EQ(config.word("d", "x", {"name", "word"}), "word");
  EXPECT_EQ(config.word("absent", "x", {}), "x");
  EXPECT_EQ(config.integer("e", 1, 100), 100);
  EXPECT_EQ(config.integer("absent", 9, 1, 100), 9);
  EXPECT_EQ(config.shape("s", false), (Shape{3, 4}));
  config.finish();
}

TEST(KerasConfig, TakesNullForMissing) {
  const Json json = Json::parse(R"({"a": null})");
  KerasConfig config(json, settings_of("thing"));
  EXPECT_EQ(config.find("a"), nullptr);
  EXPECT_EQ(config.number("a", 3.0), 3.0);
  EXPECT_TRUE(config.boolean("a", true));
  config.finish();
  expect_refused(R"({"a": null})", [](KerasConfig& c) { c.number("a"); },
                 "[thing] a: expected a number, got nothing");
}

TEST(KerasConfig, NamesTheSettingThatHasTheWrongType) {
  using C = KerasConfig;
  expect_refused(R"({"a": "x"})", [](C& c) { c.number("a"); },
                 "[thing] a: expected a number, got 'x'");
  expect_refused(R"({"a": true})", [](C& c) { c.number("a", 1.0); },
                 "a: expected a number, got true");
  expect_refused(R"({"a": 1})", [](C& c) { c.number("a", kFraction); },
                 "a: expected a number >= 0 and < 1, got 1");
  expect_refused(R"({"a": 1.5})", [](C& c) { c.integer("a", 0, 9); },
                 "a: expected an integer from 0 to 9, got 1.5");
  expect_refused(R"({"a": 1e300})", [](C& c) { c.integer("a", 0, C::kMaxInteger); },
                 "a: expected an integer of at least 0, got 1e+300");
  expect_refused(R"({"a": 1})", [](C& c) { c.boolean("a", false); },
                 "a: expected true or false, got 1");
  expect_refused(R"({"a": 2})", [](C& c) { c.text("a", ""); }, "a: expected text, got 2");
  expect_refused(R"({"a": "is"})",
                 [](C& c) {
                   c.word("a", "", {"so", "not so"});
                 },
                 "a: expected so or not so, got 'is'");
  expect_refused(
      "{}", [](C& c) { c.number("a"); }, "a: expected a number, got nothing");
}

TEST(KerasConfig, RefusesSettingsThatNobodyAskedForUnlessTheyAreOff) {
  expect_refused(R"({"units": 1, "unit": 2})", [](KerasConfig& c) { c.number("units"); },
                 "[thing] unit: expected no such key, got 2; did you mean 'units'?");
  const Json json = Json::parse(R"({"a": null, "b": false, "c": 3})");
  KerasConfig config(json, settings_of("thing"));
  config.ignore({"c"});
  config.finish();
}

TEST(KerasConfig, CollectsAllProblems) {
  expect_refused(
      R"({"a": "x", "b": 2, "c": 3})",
      [](KerasConfig& c) {
        EXPECT_EQ(c.number("a", 5.0), 0);
        EXPECT_TRUE(c.boolean("b", true));
      },
      "3 problems: (1) [thing] a: expected a number, got 'x'; (2) [thing] b: expected true or "
      "false, got 2; (3) [thing] c: expected no such key, got 3");
}

TEST(KerasConfig, MakesAProblemOfAnErrorInWhatIsMadeOfAValue) {
  expect_refused(
      R"({"a": 1})",
      [](KerasConfig& c) {
        c.find("a");
        c.convert("a", []() -> int { fail(ExitCode::kUsage, "[inner] b: expected 2, got 1"); });
      },
      "[thing] a: b: expected 2, got 1");
}

TEST(KerasConfig, AcceptsASettingOnlyInTheValuesThatExist) {
  const Json json = Json::parse(R"({"a": null, "b": -1, "c": "auto"})");
  KerasConfig config(json, settings_of("thing"));
  config.expect("a", 7);
  config.expect("b", -1);
  config.expect_one_of("c", {"auto", "mean"});
  config.expect("absent", 1);
  config.finish();
  expect_refused(R"({"c": "sum"})",
                 [](KerasConfig& c) {
                   c.expect_one_of("c", {"auto", "mean"});
                 },
                 "[thing] c: expected 'auto' or 'mean', got 'sum'");
}

TEST(KerasConfig, KnowsFloat32InItsSpellings) {
  const auto read = [](KerasConfig& config) { config.expect_float32(); };
  for (const char* text : {"{}", R"({"dtype": null})", R"({"dtype": "float32"})",
                           R"({"dtype": {"module": "keras", "class_name": "DTypePolicy",
                              "config": {"name": "float32"}, "registered_name": null}})"}) {
    const Json json = Json::parse(text);
    KerasConfig config(json, settings_of("thing"));
    read(config);
    config.finish();
  }
  expect_refused(R"({"dtype": "float16"})", read, "[thing] dtype: expected 'float32', got");
  expect_refused(R"({"dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}})",
                 read, "[thing] dtype: expected 'float32', got 'mixed_float16'");
}

TEST(KerasConfig, NotesADtypeThatIsNotFloat32) {
  const Json json = Json::parse(R"({"dtype": "float16"})");
  KerasConfig config(json, settings_of("thing"));
  config.expect_float();
  config.finish();
  EXPECT_EQ(config.foreign_dtype(), "float16");
  expect_refused(R"({"dtype": "int8"})", [](KerasConfig& c) { c.expect_float(); },
                 "dtype: expected a floating type");
}

}  // namespace
}  // namespace lockstep
