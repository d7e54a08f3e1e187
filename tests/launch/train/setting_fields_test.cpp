#include "launch/train/setting_fields.hpp"

#include <gmock/gmock.h>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Kind = Setting::Kind;

const std::vector<Choosable> kChoices = {
    {"one",
     "One",
     {{"rho", Kind::kNumber, kFraction, "", false, "0.5"},
      {"both", Kind::kNumber, kAnyNumber, "", false, "1"}}},
    {"two",
     "Two",
     {{"both", Kind::kNumber, kAnyNumber, "", false, "2"},
      {"is_on", Kind::kFlag, {}, "what it does"},
      {"many_steps", Kind::kCount},
      {"borders", Kind::kCounts},
      {"rates", Kind::kNumbers}}},
};

class SettingFields : public testing::Test {
 protected:
  TrainField field(const std::string& name) const {
    for (const TrainField& each : fields_)
      if (each.name == name) return each;
    ADD_FAILURE() << name;
    return {};
  }
  /// What the option's text becomes, and its text again.
  void expect_value(const std::string& name, const std::string& text, const Json& value) {
    TrainSettings settings;
    EXPECT_FALSE(field(name).write(settings));
    field(name).read(settings, text);
    EXPECT_EQ(settings.optimizer_settings.begin().value(), value);
    EXPECT_EQ(field(name).write(settings), text);
  }

  std::vector<TrainField> fields_ = setting_fields(kChoices, &TrainSettings::optimizer_settings);
};

TEST_F(SettingFields, AreOneForEachKey) {
  std::vector<std::string> names;
  for (const TrainField& field : fields_) names.push_back(field.name);
  EXPECT_THAT(names,
              testing::ElementsAre("rho", "is-on", "many-steps", "borders", "rates", "both"));
}

TEST_F(SettingFields, SayWhoHasThem) {
  EXPECT_EQ(field("rho").help, "one only [default: 0.5]");
  EXPECT_EQ(field("both").help, "[default: 1; two 2]");
  EXPECT_EQ(field("is-on").help, "two only: what it does");
  EXPECT_EQ(field("is-on").argument, "");
  EXPECT_EQ(field("rates").argument, "X,X,...");
}

TEST(DefaultsInWords, NameTheExceptions) {
  EXPECT_EQ(defaults_in_words({{"a", "1"}}), "1");
  EXPECT_EQ(defaults_in_words({{"a", "2"}, {"b", "1"}, {"c", "3"}, {"d", "1"}}), "1; a 2, c 3");
}

TEST_F(SettingFields, BecomeKerassValuesAndTheirTextAgain) {
  expect_value("rho", "0.25", 0.25);
  expect_value("is-on", "false", false);
  expect_value("many-steps", "1000000", 1000000);
  expect_value("borders", "10,20", {10, 20});
  expect_value("rates", "1,0.5,1e-07", {1.0, 0.5, 1e-7});
}

TEST_F(SettingFields, RefuseWhatIsOutOfRange) {
  const auto refuses = [&](const char* name, const char* text, const char* message) {
    TrainSettings settings;
    expect_error(
        ExitCode::kUsage, [&] { field(name).read(settings, text); }, message);
  };
  refuses("rho", "1", "expected a number >= 0 and < 1, got '1'");
  refuses("is-on", "maybe", "expected true or false, got 'maybe'");
  refuses("many-steps", "0", "expected an integer from 1");
  refuses("borders", "1,2.5", "expected numbers with commas between, got '1,2.5'");
}

}  // namespace
}  // namespace lockstep
