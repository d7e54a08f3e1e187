#include "src/core/keras_object.hpp"

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
  refused(R"({"class_name": 3})", "got an object with 'class_name'");
  refused(R"({"class_name": "Huber", "config": [1]})",
          R"(expected the config of "Huber" to be an object, got [1])");
  refused(R"({"class_name": "Huber", "confog": {}})", R"(got "confog")");
}

TEST(Describe, ShowsShortValuesAndSurvivesBytesThatAreNoText) {
  EXPECT_EQ(describe(Json("a\xff\n")), "'a\\xff\\x0a'");
  EXPECT_LT(describe(Json(std::string(1000, 'x'))).size(), 100u);
  EXPECT_EQ(describe(Json::parse(R"([1, null, "x"])")), "[1, null, 'x']");
  EXPECT_EQ(describe(Json::parse("[[1], 2]")), "a list of 2");
  EXPECT_EQ(describe(Json::parse(R"({"class_name": "Huber", "config": {}})")), "Huber");
  EXPECT_EQ(describe(Json::parse(R"({"a": 1, "b\n": {}})")), "an object with 'a', 'b\\x0a'");
}

}  // namespace
}  // namespace lockstep
