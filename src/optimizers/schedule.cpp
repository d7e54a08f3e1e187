#include "src/optimizers/schedule.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>
#include <vector>

#include "src/core/elementary.hpp"
#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/words.hpp"
#include "src/optimizers/power.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

/// In the form that Keras 2 and Keras 3 both read.
Json keras_json(const char* class_name, Json config) {
  return {{"module", "keras.optimizers.schedules"},
          {"class_name", class_name},
          {"config", std::move(config)},
          {"registered_name", nullptr}};
}

class Constant final : public Schedule {
 public:
  explicit Constant(double rate) : rate_(rate) {}
  double rate(std::int64_t) const override { return rate_; }
  Json to_json() const override { return rate_; }

 private:
  double rate_;
};

/// initial * decay_rate^(step / decay_steps), the exponent floored if `staircase`.
class ExponentialDecay final : public Schedule {
 public:
  explicit ExponentialDecay(KerasConfig& config);
  double rate(std::int64_t step) const override {
    if (staircase_) return initial_ * power(decay_rate_, step / decay_steps_);
    const double exponent = static_cast<double>(step) / static_cast<double>(decay_steps_);
    return initial_ * elementary::exp(exponent * elementary::log(decay_rate_));
  }
  Json to_json() const override {
    return keras_json("ExponentialDecay", {{"initial_learning_rate", initial_},
                                           {"decay_steps", decay_steps_},
                                           {"decay_rate", decay_rate_},
                                           {"staircase", staircase_},
                                           {"name", name_}});
  }

 private:
  double initial_;
  std::int64_t decay_steps_;
  double decay_rate_;
  bool staircase_;
  Json name_;
};

/// values[i], where i boundaries lie below the step.
class PiecewiseConstantDecay final : public Schedule {
 public:
  explicit PiecewiseConstantDecay(KerasConfig& config);
  double rate(std::int64_t step) const override {
    const auto below = std::ranges::lower_bound(boundaries_, static_cast<double>(step));
    return values_[static_cast<std::size_t>(below - boundaries_.begin())];
  }
  Json to_json() const override {
    return keras_json("PiecewiseConstantDecay",
                      {{"boundaries", boundaries_json_}, {"values", values_}, {"name", name_}});
  }

 private:
  std::vector<double> boundaries_;
  Json boundaries_json_;  // integers stay integers
  std::vector<double> values_;
  Json name_;
};

/// Half a cosine from the initial rate to alpha times it, after a linear warm-up from the initial
/// rate to the target if there is a target. decay_steps do not include the warm-up.
class CosineDecay final : public Schedule {
 public:
  explicit CosineDecay(KerasConfig& config);
  double rate(std::int64_t step) const override {
    if (!warmup_target_) return decayed(initial_, step);
    if (step >= warmup_steps_) return decayed(*warmup_target_, step - warmup_steps_);
    return initial_ + (*warmup_target_ - initial_) * static_cast<double>(step) /
                          static_cast<double>(warmup_steps_);
  }
  Json to_json() const override;

 private:
  double decayed(double from, std::int64_t step) const {
    const double progress =
        static_cast<double>(std::min(step, decay_steps_)) / static_cast<double>(decay_steps_);
    const double cosine = (1 + elementary::cos(std::numbers::pi * progress)) / 2;
    return from * ((1 - alpha_) * cosine + alpha_);
  }

  double initial_;
  std::int64_t decay_steps_;
  double alpha_;
  std::optional<double> warmup_target_;
  std::int64_t warmup_steps_;
  Json name_;
};

// --- From JSON ---

Json read_name(KerasConfig& config) {
  const Json* name = config.find("name");
  return name == nullptr ? Json() : *name;
}

std::vector<double> read_numbers(KerasConfig& config, const char* key) {
  const Json* json = config.find(key);
  const bool numbers = json && json->is_array() &&
                       std::ranges::all_of(*json, [](const Json& x) { return x.is_number(); });
  if (numbers) return json->get<std::vector<double>>();
  config.object_to(key, "a list of numbers", json ? describe(*json) : "nothing");
  return {};
}

ExponentialDecay::ExponentialDecay(KerasConfig& config)
    : initial_(config.number("initial_learning_rate", kNotNegativeFloat)),
      decay_steps_(config.integer("decay_steps", 1, KerasConfig::kMaxInteger)),
      decay_rate_(config.number("decay_rate", kPositive)),
      staircase_(config.boolean("staircase", false)),
      name_(read_name(config)) {}

PiecewiseConstantDecay::PiecewiseConstantDecay(KerasConfig& config)
    : boundaries_(read_numbers(config, "boundaries")),
      values_(read_numbers(config, "values")),
      name_(read_name(config)) {
  config.throw_if_any();
  boundaries_json_ = *config.find("boundaries");
  if (!std::ranges::is_sorted(boundaries_))
    config.object_to("boundaries", "ascending order", describe(boundaries_json_));
  if (values_.size() != boundaries_.size() + 1)
    config.object_to(
        "values", fmt::format("{} for {} boundaries", boundaries_.size() + 1, boundaries_.size()),
        std::to_string(values_.size()));
  for (const double value : values_)
    if (!kNotNegativeFloat.contains(value))
      config.object_to("values", kNotNegativeFloat.words, fmt::format("{}", value));
}

CosineDecay::CosineDecay(KerasConfig& config)
    : initial_(config.number("initial_learning_rate", kNotNegativeFloat)),
      decay_steps_(config.integer("decay_steps", 1, KerasConfig::kMaxInteger)),
      alpha_(config.number("alpha", 0)),
      warmup_steps_(config.integer("warmup_steps", 0, 0, KerasConfig::kMaxInteger)),
      name_(read_name(config)) {
  if (config.find("warmup_target"))
    warmup_target_ = config.number("warmup_target", kNotNegativeFloat);
}

Json CosineDecay::to_json() const {
  Json config = {{"initial_learning_rate", initial_},
                 {"decay_steps", decay_steps_},
                 {"alpha", alpha_},
                 {"name", name_}};
  // Keras before 2.13 does not know the warm-up.
  if (warmup_target_) {
    config["warmup_target"] = *warmup_target_;
    config["warmup_steps"] = warmup_steps_;
  }
  return keras_json("CosineDecay", std::move(config));
}

template <class S>
std::unique_ptr<Schedule> make(KerasConfig& config) {
  return std::make_unique<S>(config);
}

using Kind = Setting::Kind;

struct Known : Choosable {
  std::unique_ptr<Schedule> (*make)(KerasConfig& config);
};
const std::vector<Known>& known() {
  static const Setting decay_steps{.key = "decay_steps", .kind = Kind::kCount, .required = true};
  static const std::vector<Known> schedules = {
      {{"exponential",
        "ExponentialDecay",
        {decay_steps,
         {.key = "decay_rate", .range = kPositive, .required = true},
         {.key = "staircase", .kind = Kind::kFlag, .help = "decay in whole steps"}}},
       make<ExponentialDecay>},
      {{"piecewise",
        "PiecewiseConstantDecay",
        {{.key = "boundaries",
          .kind = Kind::kCounts,
          .help = "where the rate changes",
          .required = true},
         {.key = "values",
          .kind = Kind::kNumbers,
          .help = "the rates, one more than boundaries",
          .required = true}}},
       make<PiecewiseConstantDecay>},
      {{"cosine",
        "CosineDecay",
        {decay_steps,
         {.key = "alpha",
          .range = kNotNegative,
          .help = "last rate as a fraction of the highest",
          .standard = "0"},
         {.key = "warmup_steps", .kind = Kind::kCount},
         {.key = "warmup_target",
          .range = kNotNegative,
          .help = "the rate to rise to from --learning-rate"}}},
       make<CosineDecay>},
  };
  return schedules;
}

}  // namespace

std::unique_ptr<Schedule> constant_rate(double rate) {
  check(kNotNegativeFloat.contains(rate), ExitCode::kBadData,
        "[learning_rate] expected a learning rate of at least 0, got {}", rate);
  return std::make_unique<Constant>(rate);
}

const std::vector<Choosable>& known_schedules() {
  static const std::vector<Choosable> schedules = [] {
    std::vector<Choosable> all = {{"constant", "", {}}};
    all.insert(all.end(), known().begin(), known().end());
    return all;
  }();
  return schedules;
}

std::unique_ptr<Schedule> make_schedule(const Json& json) {
  if (json.is_number()) return constant_rate(json.get<double>());
  const KerasObject object = keras_object(json, "learning_rate");
  std::vector<std::string> names = {"a number"};
  for (const Known& known : known()) {
    if (known.class_name == object.name) {
      KerasConfig config(object.config, settings_of(object.name));
      auto schedule = known.make(config);
      config.finish();
      return schedule;
    }
    names.push_back(known.class_name);
  }
  fail(ExitCode::kBadData, "[learning_rate] expected {}, got '{}'", alternatives(names),
       object.name);
}

}  // namespace lockstep
