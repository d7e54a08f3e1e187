#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/floating_point.hpp"
#include "src/core/random.hpp"
#include "src/optimizers/make_optimizer.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Bits = std::vector<std::uint32_t>;

/// A row with its slots.
struct Row {
  std::vector<float> values;
  std::array<std::vector<float>, kMaxSlots> slots;

  UpdateSpan span(std::span<const float> gradients = {}) {
    UpdateSpan span{values, gradients, {}};
    for (std::size_t i = 0; i < kMaxSlots; ++i) span.slots[i] = slots[i];
    return span;
  }
  Bits bits(bool of_values = true, bool of_slots = true) const {
    Bits all;
    const auto add = [&](const std::vector<float>& floats) {
      for (const float x : floats) all.push_back(std::bit_cast<std::uint32_t>(x));
    };
    if (of_values) add(values);
    for (const auto& slot : slots)
      if (of_slots) add(slot);
    return all;
  }
};

struct Setting {
  const char* name;
  const char* json;
};
void PrintTo(const Setting& setting, std::ostream* out) {
  *out << setting.name;
}

class IdleSteps : public testing::TestWithParam<Setting> {
 protected:
  IdleSteps() : optimizer_(make_optimizer(Json::parse(GetParam().json))) {}

  /// Of every size from denormal numbers to Inf, zeros of both signs; gradients of a few steps.
  Row random_row(std::uint32_t stream, std::size_t n) {
    const RandomStream random(5, Purpose::kSynthetic, stream);
    std::uint64_t drawn = 0;
    const int kind = static_cast<int>(random.below(4, drawn++));
    const auto number = [&](double scale) {
      const auto what = random.below(12, drawn++);
      const double x = random.normal(drawn++) * scale;
      if (what == 0) return 0.0f;
      if (what == 1) return -0.0f;
      if (kind == 3 && what == 2) return static_cast<float>(x * 1e-36);
      if (kind == 3 && what == 3) return static_cast<float>(x * 1e20);
      if (kind == 3 && what == 4) return static_cast<float>(x * 1e38);
      return static_cast<float>(x);
    };
    Row row;
    for (std::size_t i = 0; i < n; ++i) row.values.push_back(number(0.05));
    for (std::size_t i = 0; i < optimizer_->slot_names().size(); ++i)
      row.slots[i].assign(n, optimizer_->slot_start(i));
    const auto touched = kind == 0 ? 0 : random.below(3, drawn++);
    for (std::uint64_t step = 0; step < touched; ++step) {
      std::vector<float> gradients;
      for (std::size_t i = 0; i < n; ++i) gradients.push_back(number(1e-3));
      optimizer_->begin_step();
      optimizer_->update(row.span(gradients));
    }
    return row;
  }

  std::unique_ptr<Optimizer> optimizer_;
  const FloatingPointEnvironment environment_;
};
INSTANTIATE_TEST_SUITE_P(
    Optimizers, IdleSteps,
    testing::Values(
        Setting{"Adam", R"({"class_name": "Adam", "config": {"learning_rate": 0.001}})"},
        Setting{"AmsGrad", R"({"class_name": "Adam", "config": {"amsgrad": true}})"},
        Setting{
            "AdamOfOtherBetas",
            R"({"class_name": "Adam", "config": {"beta_1": 0.99, "beta_2": 0.2, "epsilon": 1e-3}})"},
        Setting{"AdamWithoutMomentum",
                R"({"class_name": "Adam", "config": {"beta_1": 0.0, "beta_2": 0.0}})"},
        Setting{"AdamOfASchedule",
                R"({"class_name": "Adam", "config": {"learning_rate": {"class_name":
                "CosineDecay", "config": {"initial_learning_rate": 0.0, "decay_steps": 300,
                "warmup_target": 0.5, "warmup_steps": 100}}}})"},
        Setting{"Sgd", R"({"class_name": "SGD", "config": {}})"},
        Setting{"Momentum", R"({"class_name": "SGD", "config": {"momentum": 0.9}})"},
        Setting{"MomentumOfOne", R"({"class_name": "SGD", "config": {"momentum": 1.0}})"},
        Setting{"Clipped",
                R"({"class_name": "SGD", "config": {"momentum": 0.9, "clipvalue": 1e-4}})"},
        Setting{"Rmsprop", R"({"class_name": "RMSprop", "config": {"rho": 0.99}})"},
        Setting{"Adagrad", R"({"class_name": "Adagrad", "config": {}})"},
        Setting{"AdagradFromZero",
                R"({"class_name": "Adagrad", "config": {"initial_accumulator_value": 0.0}})"},
        Setting{"Adadelta", R"({"class_name": "Adadelta", "config": {"learning_rate": 1.0}})"},
        Setting{"Nesterov",
                R"({"class_name": "SGD", "config": {"momentum": 0.8, "nesterov": true}})"}),
    [](const auto& setting) { return setting.param.name; });

/// The plain loop is the reference: of every row, from every step on.
TEST_P(IdleSteps, AreUpdatesByZero) {
  int settled_rows = 0, moved_rows = 0;
  ASSERT_TRUE(optimizer_->catches_up());
  for (std::uint32_t stream = 0; stream < 120; ++stream) {
    const std::size_t n = std::array{1, 16, 31, 64, 70}[stream % 5];
    optimizer_->set_iterations(0);
    Row row = random_row(stream, n);
    const Row start = row;
    const int steps = stream % 3 == 0 ? 2500 : 300;
    std::vector<float> scalars;
    std::vector<Row> at{row};  // after each step
    const std::vector<float> zeros(n, 0.0f);
    for (int step = 0; step < steps; ++step) {
      optimizer_->begin_step();
      scalars.push_back(optimizer_->step_scalar());
      optimizer_->update(row.span(zeros));
      at.push_back(row);
    }
    const float most = *std::ranges::max_element(scalars);
    for (const int from : {0, 1, 50, 120, 200, 290}) {
      for (const int to : {from, from + 1, from + 9, steps}) {
        Row idle = at[static_cast<std::size_t>(from)];
        const Row& expected = at[static_cast<std::size_t>(to)];
        const auto some = std::span(scalars).subspan(static_cast<std::size_t>(from),
                                                     static_cast<std::size_t>(to - from));
        const bool settled = optimizer_->settled(idle.span(), most, to - from);
        if (settled && to > from) {
          ++settled_rows;
          ASSERT_EQ(idle.bits(true, false), expected.bits(true, false)) << stream << ": " << from;
        }
        moved_rows += idle.bits(true, false) != expected.bits(true, false);
        Row decayed = idle;
        optimizer_->decay(decayed.span(), to - from);
        ASSERT_EQ(decayed.bits(false), expected.bits(false)) << stream << ": " << from;
        optimizer_->idle(idle.span(), some);
        ASSERT_EQ(idle.bits(), expected.bits()) << stream << ": " << from << " to " << to;
      }
    }
  }
  EXPECT_GT(settled_rows, 300);
  // Of these, a row moves on when nothing pulls at it.
  const std::string name = optimizer_->class_name();
  if (name == "Adam" || !(optimizer_->slot_names().empty() || name != "SGD")) {
    EXPECT_GT(moved_rows, 30);
  }
}

TEST_P(IdleSteps, LeaveATouchedRowOfUsualSizeSettledInTime) {
  Row row;
  row.values.assign(64, 0.03f);
  for (auto& slot : row.slots) slot.resize(64);
  const std::vector<float> gradients(64, 1e-3f), zeros(64, 0.0f);
  float most = 0;
  for (int step = 0; step < 500; ++step) {
    optimizer_->begin_step();
    most = std::max(most, optimizer_->step_scalar());
    optimizer_->update(row.span(step == 0 ? gradients : zeros));
  }
  const bool never = GetParam().name == std::string("MomentumOfOne") ||
                     GetParam().name == std::string("AdamOfOtherBetas");
  EXPECT_EQ(optimizer_->settled(row.span(), most, 1000), !never);
}

TEST(IdleSteps, AreNotOfferedWhereARowMovesWithoutGradients) {
  for (const char* json :
       {R"({"class_name": "Adam", "config": {"weight_decay": 0.1}})", R"({"class_name": "AdamW"})",
        R"({"class_name": "SGD", "config": {"use_ema": true}})",
        R"({"class_name": "SGD", "config": {"gradient_accumulation_steps": 2}})",
        R"({"class_name": "SGD", "config": {"clipnorm": 1.0}})",
        R"({"class_name": "SGD", "config": {"global_clipnorm": 1.0}})",
        R"({"class_name": "RMSprop", "config": {"momentum": 0.5}})",
        R"({"class_name": "RMSprop", "config": {"centered": true}})", R"({"class_name": "Adamax"})",
        R"({"class_name": "Nadam"})", R"({"class_name": "Lion"})", R"({"class_name": "Ftrl"})"}) {
    Json parsed = Json::parse(json);
    if (!parsed.contains("config")) parsed["config"] = Json::object();
    EXPECT_FALSE(make_optimizer(parsed)->catches_up()) << json;
  }
}

TEST(IdleStepsOfAdam, NeedAnEpsilon) {
  const auto of = [](const char* epsilon) {
    return make_optimizer({{"class_name", "Adam"}, {"config", {{"epsilon", std::stod(epsilon)}}}});
  };
  EXPECT_FALSE(of("0")->catches_up());
  EXPECT_FALSE(of("1e-31")->catches_up());
  EXPECT_TRUE(of("1e-12")->catches_up());
}

}  // namespace
}  // namespace lockstep
