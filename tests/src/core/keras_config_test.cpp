#include "src/core/keras_config.hpp"

#include <gtest/gtest.h>

#include "tests/src/model/expect_error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

TEST(KerasObject, ReadsNamesAndClassesOfBothKerasVersions) {
  EXPECT_EQ(keras_object("adam", "x").name, "adam");
  EXPECT_TRUE(keras_object("adam", "x").config.empty());
  const KerasObject keras_2 =
      keras_object(Json::parse(R"({"class_name": "Custom>Adam", "config": {"beta_1": 0.5}})"), "x");
  EXPECT_EQ(keras_2.name, "Adam");
  EXPECT_EQ(keras_2.config["beta_1"], 0.5);
  const KerasObject keras_3 = keras_object(
      Json::parse(R"({"module": "keras.initializers", "class_name": "Zeros", "config": {},
                      "registered_name": null})"),
      "x");
  EXPECT_EQ(keras_3.name, "Zeros");
  const KerasObject function = keras_object(
      Json::parse(R"({"module": "builtins", "class_name": "function", "config": "huber",
                      "registered_name": "function"})"),
      "x");
  EXPECT_EQ(function.name, "huber");
}

TEST(KerasObject, RefusesWhatIsNone) {
  const auto refused = [](const char* text, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { keras_object(Json::parse(text), "loss"); }, HasSubstr(message));
  };
  refused("3", R"([loss] expected a name or {"class_name", "config"}, got 3)");
  refused("{}", "got {}");
  refused(R"({"class_name": 3})", R"(got {"class_name":3})");
  refused(R"({"class_name": "Huber", "config": [1]})",
          R"(expected the config of "Huber" to be an object, got [1])");
  refused(R"({"class_name": "Huber", "confog": {}})", R"(got "confog")");
}

TEST(ConfigReader, ReadsTypedSettingsWithDefaults) {
  const Json json = Json::parse(R"({"a": 2, "b": 0.5, "c": true, "d": "word", "e": 100.0})");
  ConfigReader config("thing", json);
  EXPECT_EQ(config.number("a"), 2.0);
  EXPECT_EQ(config.number("b", 7.0), 0.5);
  EXPECT_EQ(config.number("absent", 7.0), 7.0);
  EXPECT_TRUE(config.flag("c", false));
  EXPECT_TRUE(config.flag("absent", true));
  EXPECT_EQ(config.text("d", "x"), "word");
  EXPECT_EQ(config.text("absent", "x"), "x");
  EXPECT_EQ(config.integer("e"), 100);
  EXPECT_EQ(config.integer("absent", 9), 9);
  config.finish();
}

TEST(ConfigReader, NamesTheSettingThatHasTheWrongType) {
  const Json json = Json::parse(R"({"a": "x", "b": 1.5, "c": 1, "d": 2, "e": true})");
  ConfigReader config("thing", json);
  const auto refused = [](auto call, const char* message) {
    expect_error(ExitCode::kBadData, call, HasSubstr(message));
  };
  refused([&] { config.number("a"); }, R"([thing] expected "a" to be a number, got "x")");
  refused([&] { config.number("e"); }, R"(expected "e" to be a number, got true)");
  refused([&] { config.integer("b"); }, R"(expected "b" to be a whole number, got 1.5)");
  refused([&] { config.flag("c", false); }, R"(expected "c" to be true or false, got 1)");
  refused([&] { config.text("d", ""); }, R"(expected "d" to be a string, got 2)");
  refused([&] { config.number("missing"); }, R"(expected the setting "missing")");
}

TEST(ConfigReader, RefusesSettingsThatNobodyReadByName) {
  const Json json = Json::parse(R"({"a": 1, "clipnorm": 2})");
  ConfigReader config("thing", json);
  config.number("a");
  expect_error(
      ExitCode::kBadData, [&] { config.finish(); },
      HasSubstr(R"([thing] expected only the settings a, got "clipnorm": 2)"));
  config.ignore({"clipnorm"});
  config.finish();
}

TEST(ConfigReader, AcceptsASettingOnlyInTheValuesThatExist) {
  const Json json = Json::parse(R"({"a": null, "b": -1, "c": "sum"})");
  ConfigReader config("thing", json);
  config.only("a", {nullptr});
  config.only("b", {-1});
  config.only("absent", {1});
  expect_error(
      ExitCode::kBadData,
      [&] {
        config.only("c", {"auto", "mean"});
      },
      HasSubstr(R"(expected "c" to be "auto" or "mean" (Lockstep has no other), got "sum")"));
}

TEST(ConfigReader, KnowsFloat32InItsSpellings) {
  const auto accept = [](const char* text) {
    const Json json = Json::parse(text);
    ConfigReader config("thing", json);
    config.only_float32();
    config.finish();
  };
  accept("{}");
  accept(R"({"dtype": null})");
  accept(R"({"dtype": "float32"})");
  accept(R"({"dtype": {"module": "keras", "class_name": "DTypePolicy",
                       "config": {"name": "float32"}, "registered_name": null}})");
  const auto refused = [&](const char* text) {
    expect_error(
        ExitCode::kBadData, [&] { accept(text); },
        HasSubstr(R"([thing] expected "dtype" to be "float32", got)"));
  };
  refused(R"({"dtype": "float16"})");
  refused(R"({"dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}})");
}

TEST(ShortText, SurvivesBytesThatAreNoText) {
  EXPECT_EQ(short_text(Json("a\xff")), "\"a\\ufffd\"");
  EXPECT_LT(short_text(Json(std::string(1000, 'x'))).size(), 100u);
}

}  // namespace
}  // namespace lockstep
