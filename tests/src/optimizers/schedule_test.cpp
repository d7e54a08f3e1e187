#include "src/optimizers/schedule.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/src/model/expect_error.hpp"
#include "tests/src/optimizers/keras_numbers.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::unique_ptr<Schedule> schedule(const std::string& class_name, const char* config) {
  return make_schedule({{"class_name", class_name}, {"config", Json::parse(config)}});
}

TEST(Schedule, ANumberIsConstant) {
  const auto constant = make_schedule(0.25);
  EXPECT_EQ(constant->rate(0), 0.25);
  EXPECT_EQ(constant->rate(1'000'000'000), 0.25);
  EXPECT_EQ(constant->to_json().dump(), "0.25");
  EXPECT_EQ(make_schedule(1)->to_json().dump(), "1.0");  // Keras 3 wants a float
  EXPECT_EQ(constant_rate(0)->rate(3), 0.0);
}

TEST(ExponentialDecay, FallsSmoothlyOrInStairs) {
  const auto smooth =
      schedule("ExponentialDecay",
               R"({"initial_learning_rate": 0.1, "decay_steps": 100, "decay_rate": 0.25})");
  EXPECT_EQ(smooth->rate(0), 0.1);
  EXPECT_NEAR(smooth->rate(50), 0.05, 1e-15);
  EXPECT_NEAR(smooth->rate(100), 0.025, 1e-15);
  EXPECT_NEAR(smooth->rate(150), 0.0125, 1e-15);
  const auto stairs = schedule("ExponentialDecay",
                               R"({"initial_learning_rate": 0.1, "decay_steps": 100,
                                   "decay_rate": 0.25, "staircase": true})");
  EXPECT_EQ(stairs->rate(99), 0.1);
  EXPECT_EQ(stairs->rate(100), 0.1 * 0.25);
  EXPECT_EQ(stairs->rate(199), 0.1 * 0.25);
  EXPECT_EQ(stairs->rate(300), 0.1 * 0.25 * 0.25 * 0.25);
}

TEST(PiecewiseConstantDecay, ChangesAfterItsBoundaries) {
  const auto steps = schedule("PiecewiseConstantDecay",
                              R"({"boundaries": [100, 110], "values": [1.0, 0.5, 0.1]})");
  EXPECT_EQ(steps->rate(0), 1.0);
  EXPECT_EQ(steps->rate(100), 1.0);
  EXPECT_EQ(steps->rate(101), 0.5);
  EXPECT_EQ(steps->rate(110), 0.5);
  EXPECT_EQ(steps->rate(111), 0.1);
  const auto none = schedule("PiecewiseConstantDecay", R"({"boundaries": [], "values": [0.3]})");
  EXPECT_EQ(none->rate(7), 0.3);
}

TEST(CosineDecay, GivesKerassNumbers) {
  const auto cosine = schedule(
      "CosineDecay", R"({"initial_learning_rate": 0.1, "decay_steps": 100, "alpha": 0.1})");
  EXPECT_NEAR(cosine->rate(0), 0.1, 1e-12);
  EXPECT_NEAR(cosine->rate(50), 0.055, 1e-12);
  EXPECT_NEAR(cosine->rate(100), 0.01, 1e-12);
  EXPECT_NEAR(cosine->rate(100'000), 0.01, 1e-12);
}

TEST(CosineDecay, WarmsUpBeforeItsDecaySteps) {
  const auto warm = schedule("CosineDecay",
                             R"({"initial_learning_rate": 0.0, "decay_steps": 100,
                                 "warmup_target": 0.1, "warmup_steps": 10})");
  EXPECT_EQ(warm->rate(0), 0.0);
  EXPECT_NEAR(warm->rate(5), 0.05, 1e-12);
  EXPECT_NEAR(warm->rate(9), 0.09, 1e-12);
  EXPECT_NEAR(warm->rate(10), 0.1, 1e-12);
  EXPECT_NEAR(warm->rate(20), 0.09755282581, 1e-11);
  EXPECT_NEAR(warm->rate(60), 0.05, 1e-12);
  EXPECT_NEAR(warm->rate(110), 0, 1e-12);
  EXPECT_NEAR(warm->rate(1000), 0, 1e-12);
}

TEST(CosineDecay, HasNoWarmUpWithoutATarget) {
  const auto cold = schedule("CosineDecay",
                             R"({"initial_learning_rate": 0.1, "decay_steps": 100,
                                 "warmup_target": null, "warmup_steps": 10})");
  EXPECT_NEAR(cold->rate(50), 0.05, 1e-12);
}

TEST(Schedule, GivesKerassNumbers) {
  const Json& numbers = test::keras_numbers();
  for (const Json& expected : numbers["schedules"]) {
    const auto found = make_schedule(expected["json"]);
    for (std::size_t i = 0; i < numbers["steps"].size(); ++i) {
      const auto step = numbers["steps"][i].get<std::int64_t>();
      EXPECT_NEAR(found->rate(step), expected["rates"][i].get<double>(), 1e-7)
          << expected["json"] << " step " << step;
    }
    EXPECT_EQ(make_schedule(found->to_json())->to_json(), found->to_json());
    EXPECT_EQ(found->to_json()["config"], expected["json"]["config"]);
  }
}

TEST(CosineDecayRestarts, BeginsEveryHalfWaveAtItsStep) {
  const auto waves =
      schedule("CosineDecayRestarts",
               R"({"initial_learning_rate": 1.0, "first_decay_steps": 5, "t_mul": 3})");
  for (const std::int64_t start : {0, 5, 20, 65, 200, 605, 1820, 5465, 16400, 49205}) {
    EXPECT_EQ(waves->rate(start), 1.0) << start;
    EXPECT_LT(waves->rate(start + 1), 1.0) << start;
    if (start > 0) {
      EXPECT_LT(waves->rate(start - 1), 0.1) << start;
    }
  }
  EXPECT_NEAR(waves->rate(1'000'000'000'000), 0.5, 0.5);
}

TEST(CosineDecayRestarts, FindsEveryRestartThoughLogarithmsAreRounded) {
  for (std::int64_t t_mul = 2; t_mul < 40; ++t_mul) {
    const auto waves = make_schedule(
        {{"class_name", "CosineDecayRestarts"},
         {"config", {{"initial_learning_rate", 1.0}, {"first_decay_steps", 2}, {"t_mul", t_mul}}}});
    for (std::int64_t start = 0, steps = 2; start < 1'000'000'000'000'000; steps *= t_mul) {
      EXPECT_EQ(waves->rate(start), 1.0) << t_mul << ": " << start;
      if (start > 1000) {
        EXPECT_LT(waves->rate(start - 1), 0.01) << t_mul << ": " << start;
      }
      start += steps;
    }
  }
}

TEST(Schedule, RoundTripsThroughJson) {
  for (const char* text :
       {R"({"module":"keras.optimizers.schedules","class_name":"ExponentialDecay","config":)"
        R"({"initial_learning_rate":0.1,"decay_steps":100,"decay_rate":0.96,"staircase":true,)"
        R"("name":"ExponentialDecay"},"registered_name":null})",
        R"({"module":"keras.optimizers.schedules","class_name":"PiecewiseConstantDecay","config":)"
        R"({"boundaries":[10,20.5],"values":[1.0,0.5,0.25],"name":"mine"},"registered_name":null})",
        R"({"module":"keras.optimizers.schedules","class_name":"CosineDecay","config":)"
        R"({"initial_learning_rate":0.1,"decay_steps":100,"alpha":0.5,"name":"CosineDecay"},)"
        R"("registered_name":null})",
        R"({"module":"keras.optimizers.schedules","class_name":"CosineDecay","config":)"
        R"({"initial_learning_rate":0.0,"decay_steps":100,"alpha":0.0,"name":"CosineDecay",)"
        R"("warmup_target":0.1,"warmup_steps":10},"registered_name":null})"}) {
    EXPECT_EQ(make_schedule(Json::parse(text))->to_json().dump(), text);
  }
}

TEST(Schedule, HasANameForKeras3) {
  const auto decay =
      schedule("ExponentialDecay", R"({"initial_learning_rate": 0.1, "decay_steps": 5,
                                                      "decay_rate": 0.5, "name": null})");
  EXPECT_EQ(decay->to_json()["config"]["name"], "ExponentialDecay");
}

TEST(Schedule, RefusesByNameWhatLockstepLacks) {
  const auto refused = [](const char* text, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { make_schedule(Json::parse(text)); }, HasSubstr(message));
  };
  refused(
      R"({"class_name": "NoamDecay", "config": {}})",
      "[learning_rate] expected a number, ExponentialDecay, PiecewiseConstantDecay, CosineDecay, "
      "CosineDecayRestarts, InverseTimeDecay or PolynomialDecay, got 'NoamDecay'");
  refused("-0.1", "at least 0, got -0.1");
  refused("1e300", "expected a learning rate");
  refused("true", "got true");
  const auto refused_in = [](const char* class_name, const char* config, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { schedule(class_name, config); }, HasSubstr(message));
  };
  refused_in("ExponentialDecay", R"({"initial_learning_rate": 0.1, "decay_steps": 5})",
             "[ExponentialDecay] decay_rate: expected a number > 0, got nothing");
  refused_in("ExponentialDecay",
             R"({"initial_learning_rate": 0.1, "decay_steps": 0, "decay_rate": 0.5})",
             "decay_steps: expected an integer of at least 1, got 0");
  refused_in("ExponentialDecay",
             R"({"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0})",
             "decay_rate: expected a number > 0, got 0");
  refused_in("PiecewiseConstantDecay", R"({"boundaries": [1, 2], "values": [1, 2]})",
             "values: expected 3 for 2 boundaries, got 2");
  refused_in("PiecewiseConstantDecay", R"({"boundaries": [2, 1], "values": [1, 2, 3]})",
             "boundaries: expected ascending order, got [2, 1]");
  refused_in("PiecewiseConstantDecay", R"({"boundaries": 2, "values": [1, 2, 3]})",
             "boundaries: expected a list of numbers, got 2");
  refused_in("CosineDecayRestarts",
             R"({"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 0.5})",
             "t_mul: expected a number >= 1, got 0.5");
  refused_in("PolynomialDecay",
             R"({"initial_learning_rate": 0.1, "decay_steps": 5, "power": -1.0})",
             "power: expected a number from 0 to 1000, got -1");
  refused_in("CosineDecay", R"({"initial_learning_rate": 0.1, "decay_steps": 9, "t_mul": 2})",
             "t_mul: expected no such key, got 2");
}

}  // namespace
}  // namespace lockstep
