#include "src/optimizers/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/random.hpp"
#include "src/optimizers/make_optimizer.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/src/optimizers/keras_numbers.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::unique_ptr<Optimizer> from(const char* class_name, const char* config) {
  return make_optimizer({{"class_name", class_name}, {"config", Json::parse(config)}});
}

/// Parameters with their slots, updated through spans that are cut every `cut` elements.
struct State {
  State(const Optimizer& optimizer, std::vector<float> start) : values(std::move(start)) {
    for (std::size_t slot = 0; slot < optimizer.slot_names().size(); ++slot)
      slots.emplace_back(values.size(), optimizer.slot_start(slot));
  }

  void step(Optimizer& optimizer, const std::vector<float>& gradients, std::size_t cut = 1 << 20) {
    optimizer.begin_step();
    float scale = 1;
    if (optimizer.clips_norms()) {
      ExactSum sum;
      optimizer.add_squares(span(gradients, 0, values.size()), sum);
      scale = optimizer.scale_of(sum.value());
    }
    float ratio = 1;
    if (optimizer.wants_ratios()) {
      Optimizer::TrustSums sums;
      for (std::size_t first = 0; first < values.size(); first += cut) {
        UpdateSpan piece = span(gradients, first, std::min(cut, values.size() - first));
        piece.scale = scale;
        optimizer.begin_update(piece, sums);
      }
      ratio = optimizer.ratio_of(sums.weights.value(), sums.moves.value());
    }
    for (std::size_t first = 0; first < values.size(); first += cut) {
      const std::size_t count = std::min(cut, values.size() - first);
      UpdateSpan piece = span(gradients, first, count);
      piece.scale = scale;
      piece.ratio = ratio;
      optimizer.update(piece);
    }
  }

  UpdateSpan span(const std::vector<float>& gradients, std::size_t first, std::size_t count) {
    UpdateSpan span{values, gradients, {}};
    for (std::size_t k = 0; k < slots.size(); ++k) span.slots[k] = slots[k];
    return span.part(first, count);
  }

  std::vector<float> values;
  std::vector<std::vector<float>> slots;
};

class KerassNumbers : public testing::TestWithParam<int> {};

TEST_P(KerassNumbers, AreMatchedStepByStep) {
  const Json& numbers = test::keras_numbers();
  const Json& expected = numbers["updates"][static_cast<std::size_t>(GetParam())];
  SCOPED_TRACE(expected["class_name"].dump() + expected["settings"].dump());
  const auto optimizer =
      make_optimizer({{"class_name", expected["class_name"]}, {"config", expected["settings"]}});
  const auto start = numbers["start"].get<std::vector<float>>();
  State state(*optimizer, start);
  const std::size_t steps = numbers["gradients"].size();
  ASSERT_EQ(expected["values"].size(), steps);
  for (std::size_t step = 0; step < steps; ++step) {
    state.step(*optimizer, numbers["gradients"][step]);
    const auto theirs = expected["values"][step].get<std::vector<float>>();
    // Keras computes 1 - beta^t in float32.
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_NEAR(state.values[i], theirs[i], 4e-7 + 2e-5 * std::abs(theirs[i] - start[i]))
          << "step " << step;
  }
  if (const auto slot = optimizer->average_slot()) state.values = state.slots[*slot];
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(state.values[i], expected["final"][i].get<float>(), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, KerassNumbers,
    testing::Range(0, static_cast<int>(test::keras_numbers()["updates"].size())),
    [](const auto& info) {
      const Json& update = test::keras_numbers()["updates"][static_cast<std::size_t>(info.param)];
      return update["class_name"].get<std::string>() + std::to_string(info.param);
    });

TEST(KerassNumbers, AreThereForEveryOptimizer) {
  for (const KnownOptimizer& known : known_optimizers())
    EXPECT_TRUE(known.name == "lars" ||
                std::ranges::any_of(
                    test::keras_numbers()["updates"],
                    [&](const Json& update) { return update["class_name"] == known.class_name; }))
        << known.name;
}

/// Which Keras does not have.
TEST(Lars, MovesAWeightByAShareOfItsNorm) {
  const auto lars = from("LARS", R"({"learning_rate": 2, "momentum": 0.5,
                                     "trust_coefficient": 0.1, "weight_decay_rate": 0.25})");
  EXPECT_EQ(lars->slot_names(), (std::vector<std::string>{"momentum"}));
  State whole(*lars, {3, 0, -4, 0});
  std::vector<double> w{3, 0, -4, 0}, velocity(4, 0);
  for (const std::vector<float>& gradients :
       std::vector<std::vector<float>>{{1, -2, 0, 2}, {0.5f, 0, 0.25f, 1}, {0, 0, 0, 0}}) {
    double weights = 0, norm = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      weights += w[i] * w[i];
      norm += static_cast<double>(gradients[i]) * static_cast<double>(gradients[i]);
    }
    weights = std::sqrt(weights);
    norm = std::sqrt(norm);
    const double ratio = norm > 0 ? 0.1 * weights / (norm + 0.25 * weights) : 1;
    for (std::size_t i = 0; i < 4; ++i) {
      velocity[i] =
          0.5 * velocity[i] + 2 * ratio * (static_cast<double>(gradients[i]) + 0.25 * w[i]);
      w[i] -= velocity[i];
    }
    whole.step(*lars, gradients, 3);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(whole.values[i], w[i], 1e-6) << i;
  }
}

TEST(Adam, NameAloneHasKerassDefaults) {
  EXPECT_EQ(make_optimizer("adam")->to_json().dump(),
            R"({"class_name":"Adam","config":{"name":"Adam","learning_rate":0.001,"beta_1":0.9,)"
            R"("beta_2":0.999,"epsilon":1e-07,"amsgrad":false}})");
  EXPECT_EQ(make_optimizer("adam")->slot_names(), (std::vector<std::string>{"m", "v"}));
}

TEST(Adam, AmsgradDividesByTheLargestVSoFar) {
  const auto plain = from("Adam", "{}");
  const auto amsgrad = from("Adam", R"({"amsgrad": true})");
  EXPECT_EQ(amsgrad->slot_names(), (std::vector<std::string>{"m", "v", "vhat"}));
  State with(*amsgrad, {1});
  State without(*plain, {1});
  // v grows in the first step: no difference. Then it shrinks.
  with.step(*amsgrad, {2});
  without.step(*plain, {2});
  EXPECT_EQ(with.values, without.values);
  const float largest = with.slots[1][0];
  with.step(*amsgrad, {0});
  without.step(*plain, {0});
  EXPECT_LT(with.slots[1][0], largest);
  EXPECT_EQ(with.slots[2][0], largest);
  const double alpha = 0.001 * std::sqrt(1 - 0.999 * 0.999) / (1 - 0.9 * 0.9);
  const double m = 0.1 * 2 * 0.9;
  const double v = 0.001 * 4;
  EXPECT_NEAR(with.values[0], 0.999 - alpha * m / (std::sqrt(v) + 1e-7), 2e-7);
  EXPECT_GT(with.values[0], without.values[0]);
}

TEST(Adam, MatchesAnEvaluationInDoubleOverManySteps) {
  const auto optimizer = make_optimizer("adam");
  State state(*optimizer, {0.5f});
  double w = 0.5;
  double m = 0;
  double v = 0;
  for (int t = 1; t <= 1000; ++t) {
    const float gradient = std::sin(static_cast<float>(t));
    state.step(*optimizer, {gradient});
    const double g = gradient;
    m += (g - m) * 0.1;
    v += (g * g - v) * 0.001;
    const double alpha = 0.001 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    w -= alpha * m / (std::sqrt(v) + 1e-7);
  }
  EXPECT_NEAR(state.values[0], w, 1e-5);
  EXPECT_EQ(optimizer->iterations(), 1000);
}

TEST(Sgd, HasASlotOnlyWithMomentum) {
  EXPECT_TRUE(make_optimizer("sgd")->slot_names().empty());
  EXPECT_EQ(from("SGD", R"({"momentum": 0.5})")->slot_names(),
            (std::vector<std::string>{"momentum"}));
}

TEST(Optimizer, AnyCutOfTheParametersGivesTheSameBits) {
  const RandomStream random(3, Purpose::kSynthetic, 0);
  constexpr std::size_t kCount = 10007;
  std::vector<float> start(kCount);
  std::vector<float> gradients(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    start[i] = static_cast<float>(random.normal(i));
    gradients[i] = static_cast<float>(random.normal(kCount + i));
  }
  for (const Json& update : test::keras_numbers()["updates"]) {
    const std::string name = update["class_name"], text = update["settings"].dump();
    const char* const config = text.c_str();
    const auto whole = from(name.c_str(), config);
    State expected(*whole, start);
    for (int step = 0; step < 3; ++step) expected.step(*whole, gradients);
    for (const std::size_t cut : {1u, 7u, 16u, 4096u, 5001u}) {
      const auto optimizer = from(name.c_str(), config);
      State state(*optimizer, start);
      for (int step = 0; step < 3; ++step) state.step(*optimizer, gradients, cut);
      EXPECT_EQ(state.values, expected.values) << name << config << cut;
      EXPECT_EQ(state.slots, expected.slots) << name << config << cut;
    }
  }
}

TEST(Optimizer, AnEmptySpanIsNothing) {
  for (const KnownOptimizer& known : known_optimizers()) {
    const auto optimizer = make_optimizer(known.name);
    optimizer->begin_step();
    optimizer->update({});
    EXPECT_EQ(optimizer->iterations(), 1);
  }
}

TEST(Optimizer, TheFirstStepUsesTheRateOfStepZero) {
  const auto optimizer = from("SGD", R"({"learning_rate":
      {"class_name": "PiecewiseConstantDecay",
       "config": {"boundaries": [0, 1], "values": [0.5, 0.25, 0.125]}}})");
  State state(*optimizer, {0});
  std::vector<float> moves;
  for (int step = 0; step < 3; ++step) {
    const float before = state.values[0];
    EXPECT_EQ(optimizer->learning_rate(), optimizer->schedule().rate(step));
    state.step(*optimizer, {-1});
    moves.push_back(state.values[0] - before);
  }
  EXPECT_EQ(moves, (std::vector<float>{0.5f, 0.25f, 0.125f}));
}

TEST(Optimizer, GoesOnFromGivenIterationsAndSlots) {
  const std::vector<float> gradients{0.5f, -1.5f, 2};
  for (const Json& update : test::keras_numbers()["updates"]) {
    const Json json = {{"class_name", update["class_name"]}, {"config", update["settings"]}};
    for (const int before : {1, 2, 3, 40}) {
      const auto first = make_optimizer(json);
      State expected(*first, {1, 2, 3});
      for (int step = 0; step < before; ++step) expected.step(*first, gradients);
      const auto resumed = make_optimizer(first->to_json());
      resumed->set_iterations(first->iterations());
      State state = expected;
      for (int step = 0; step < 3; ++step) {
        expected.step(*first, gradients);
        state.step(*resumed, gradients);
      }
      EXPECT_EQ(state.values, expected.values) << json;
      EXPECT_EQ(state.slots, expected.slots) << json;
      EXPECT_EQ(resumed->iterations(), before + 3);
    }
  }
}

TEST(Optimizer, BeginsItsSlotsAsKerasDoes) {
  const auto adagrad = from("Adagrad", R"({"initial_accumulator_value": 0.25, "use_ema": true})");
  EXPECT_EQ(adagrad->slot_names(), (std::vector<std::string>{"accumulator", "average"}));
  EXPECT_EQ(adagrad->slot_start(0), 0.25f);
  EXPECT_EQ(adagrad->slot_start(1), 0);
  const auto ftrl = from("Ftrl", R"({"gradient_accumulation_steps": 2})");
  EXPECT_EQ(ftrl->slot_names(),
            (std::vector<std::string>{"accumulator", "linear", "gradient_accumulator"}));
  EXPECT_EQ(ftrl->slot_start(0), 0.1f);
  EXPECT_EQ(ftrl->slot_start(1), 0);
}

TEST(Optimizer, ShowsWhatIsNotANumber) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const Json& update : test::keras_numbers()["updates"]) {
    const auto optimizer =
        make_optimizer({{"class_name", update["class_name"]}, {"config", update["settings"]}});
    State state(*optimizer, {1, 2});
    for (int step = 0; step < 4; ++step) state.step(*optimizer, {step == 1 ? kNan : 0.5f, 0.5f});
    EXPECT_TRUE(std::isnan(state.values[0])) << update;
  }
}

TEST(Optimizer, AConstantRateCanBeSet) {
  const auto optimizer = make_optimizer("sgd");
  optimizer->set_learning_rate(0.5);
  EXPECT_EQ(optimizer->learning_rate(), 0.5);
  State state(*optimizer, {1});
  state.step(*optimizer, {1});
  EXPECT_EQ(state.values[0], 0.5f);
  EXPECT_EQ(optimizer->to_json()["config"]["learning_rate"], 0.5);
}

TEST(Optimizer, AScheduleCannotBeOverridden) {
  const auto optimizer = from("SGD", R"({"learning_rate": {"class_name": "CosineDecay",
      "config": {"initial_learning_rate": 0.1, "decay_steps": 10}}})");
  expect_error(
      ExitCode::kUsage, [&] { optimizer->set_learning_rate(0.5); },
      HasSubstr("[SGD] expected a constant learning rate, which can be set, got a "
                "schedule: 'CosineDecay'"));
}

TEST(MakeOptimizer, RoundTripsThroughJson) {
  for (const char* text :
       {R"({"class_name":"SGD","config":{"name":"SGD","learning_rate":0.01,"momentum":0.0,)"
        R"("nesterov":false}})",
        R"({"class_name":"SGD","config":{"name":"SGD","learning_rate":1.0,"momentum":0.9,)"
        R"("nesterov":true}})",
        R"({"class_name":"Adam","config":{"name":"Adam","learning_rate":0.01,"beta_1":0.5,)"
        R"("beta_2":0.75,"epsilon":0.001,"amsgrad":true}})"}) {
    EXPECT_EQ(make_optimizer(Json::parse(text))->to_json().dump(), text);
  }
  const auto scheduled = from("Adam", R"({"learning_rate": {"class_name": "ExponentialDecay",
      "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}}})");
  const Json written = scheduled->to_json();
  EXPECT_EQ(make_optimizer(written)->to_json(), written);
  EXPECT_EQ(make_optimizer(written)->schedule().rate(10), scheduled->schedule().rate(10));
}

TEST(MakeOptimizer, WritesTheCommonSettingsThatAreOn) {
  EXPECT_EQ(make_optimizer("adamw")->to_json()["config"]["weight_decay"], 0.004);
  EXPECT_EQ(from("AdamW", R"({"weight_decay": 0.0})")->to_json()["config"]["weight_decay"], 0.0);
  const Json off = from("SGD", R"({"weight_decay": false, "clipnorm": 0.0, "use_ema": false,
      "ema_momentum": 0.9, "ema_overwrite_frequency": 100, "gradient_accumulation_steps": 1})")
                       ->to_json();
  EXPECT_EQ(off, make_optimizer("sgd")->to_json());
  for (const Json& update : test::keras_numbers()["updates"]) {
    const auto optimizer =
        make_optimizer({{"class_name", update["class_name"]}, {"config", update["settings"]}});
    const Json written = optimizer->to_json();
    for (const auto& item : update["settings"].items())
      EXPECT_EQ(written["config"][item.key()], item.value()) << update;
    EXPECT_EQ(make_optimizer(written)->to_json(), written);
  }
}

TEST(MakeOptimizer, ReadsWhatEveryKerasWrites) {
  const Json tensorflow_2_12 = Json::parse(
      R"({"class_name": "Custom>Adam", "config": {
          "name": "Adam", "weight_decay": null, "clipnorm": null, "global_clipnorm": null,
          "clipvalue": null, "use_ema": false, "ema_momentum": 0.99,
          "ema_overwrite_frequency": null, "jit_compile": true, "is_legacy_optimizer": false,
          "learning_rate": 0.0010000000474974513, "beta_1": 0.8, "beta_2": 0.999,
          "epsilon": 1e-07, "amsgrad": false}})");
  EXPECT_EQ(make_optimizer(tensorflow_2_12)->to_json()["config"]["beta_1"], 0.8);
  const Json keras_3 = Json::parse(
      R"({"module": "keras.optimizers", "class_name": "Adam", "registered_name": null, "config": {
          "name": "adam", "learning_rate": 0.001, "weight_decay": null, "clipnorm": null,
          "global_clipnorm": null, "clipvalue": null, "use_ema": false, "ema_momentum": 0.99,
          "ema_overwrite_frequency": null, "loss_scale_factor": null,
          "gradient_accumulation_steps": null, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07,
          "amsgrad": false}})");
  EXPECT_EQ(make_optimizer(keras_3)->to_json(), make_optimizer("adam")->to_json());
  EXPECT_EQ(from("SGD", R"({"lr": 0.5, "decay": 0.0})")->learning_rate(), 0.5);
}

TEST(MakeOptimizer, RefusesByNameWhatLockstepLacks) {
  expect_error(
      ExitCode::kBadData, [] { make_optimizer("muon"); },
      HasSubstr("[optimizer] expected one of adam, adamw, sgd, rmsprop, adagrad, adadelta, adamax, "
                "nadam, lion, ftrl, lamb, lars, got 'muon'"));
  const auto refused = [](const char* class_name, const char* config, const char* message) {
    expect_error(
        ExitCode::kBadData, [&] { from(class_name, config); }, HasSubstr(message));
  };
  refused("Adam", R"({"clipnorm": 1.0, "clipvalue": 1.0})",
          "[adam] clipnorm: expected at most one of clipnorm, global_clipnorm and clipvalue");
  refused("SGD", R"({"clipvalue": -1.0})", "clipvalue: expected a number from 0 to 3.4e38, got -1");
  refused("Adam", R"({"weight_decay": -0.1})", "weight_decay: expected a number from 0");
  refused("Adam", R"({"use_ema": true, "ema_momentum": 1.5})", "ema_momentum: expected a number");
  refused("Adam", R"({"use_ema": true, "ema_overwrite_frequency": 0})",
          "ema_overwrite_frequency: expected an integer of at least 1, got 0");
  refused("Adam", R"({"loss_scale_factor": 8.0})", "loss_scale_factor: expected null or 1");
  refused("Adam", R"({"decay": 0.1})", "[adam] decay: expected null or 0");
  refused("Nadam", R"({"decay": 0.004})", "[nadam] decay: expected null or 0");
  refused("Adam", R"({"gradient_accumulation_steps": 2.5})",
          "gradient_accumulation_steps: expected an integer");
  refused("Lion", R"({"beta_1": 0.0})", "[lion] beta_1: expected a number > 0 and < 1, got 0");
  refused("Ftrl", R"({"learning_rate_power": 0.5})",
          "learning_rate_power: expected a number <= 0, got 0.5");
  refused("Adam", R"({"momentum": 0.9})", "[adam] momentum: expected no such key, got 0.9");
  refused("SGD", R"({"beta_1": 0.9})", "[sgd] beta_1: expected no such key, got 0.9");
  refused("Adam", R"({"beta_1": 1})", "beta_1: expected a number >= 0 and < 1, got 1");
  refused("Adam", R"({"epsilon": -1})", "epsilon: expected a number >= 0, got -1");
  refused("SGD", R"({"momentum": 1.5})", "momentum: expected a number from 0 to 1, got 1.5");
  refused("SGD", R"({"nesterov": 1})", "nesterov: expected true or false, got 1");
  refused("SGD", R"({"learning_rate": -1})",
          "[sgd] learning_rate: expected a learning rate of at least 0, got -1");
}

TEST(MakeOptimizer, TakesNamesInAnyCaseOfLettersAsKerasDoes) {
  EXPECT_EQ(make_optimizer("SGD")->class_name(), "SGD");
  EXPECT_EQ(make_optimizer("sGd")->class_name(), "SGD");
}

TEST(KnownOptimizers, AreMadeOfTheirRows) {
  for (const KnownOptimizer& known : known_optimizers()) {
    const Json json = make_optimizer(known.name)->to_json();
    EXPECT_EQ(json["class_name"], known.class_name);
    EXPECT_EQ(json["config"]["learning_rate"], known.learning_rate);
    for (const Setting& setting : known.settings) {
      const bool common = std::ranges::any_of(
          common_fields(), [&](const auto& field) { return field.key == setting.key; });
      EXPECT_TRUE(common || json["config"].contains(setting.key)) << setting.key;
    }
  }
}

TEST(KnownOptimizers, MeanTheSameByTheSameKey) {
  std::map<std::string, const Setting*> all;  // one command line option stands for all of them
  for (const KnownOptimizer& known : known_optimizers()) {
    for (const Setting& setting : known.settings) {
      const Setting& first = *all.try_emplace(setting.key, &setting).first->second;
      EXPECT_EQ(setting.kind, first.kind) << setting.key;
      EXPECT_STREQ(setting.range.words, first.range.words) << setting.key;
    }
  }
  EXPECT_TRUE(all.contains("beta_1"));
}

}  // namespace
}  // namespace lockstep
