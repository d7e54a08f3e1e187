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

constexpr NumberRange kAtLeastOne{.low = 1, .words = "a number >= 1"};
constexpr NumberRange kPowers{0, 1000, "a number from 0 to 1000"};

/// In the form that Keras 2 and Keras 3 both read. Keras 3 wants a name.
Json keras_json(const char* class_name, Json config) {
  if (config["name"].is_null()) config["name"] = class_name;
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

/// What decays with step / decay_steps, which is floored if `staircase`.
class TimeDecay : public Schedule {
 public:
  TimeDecay(const char* class_name, KerasConfig& config, const NumberRange& decay_rates);
  Json to_json() const override {
    return keras_json(class_name_, {{"initial_learning_rate", initial_},
                                    {"decay_steps", decay_steps_},
                                    {"decay_rate", decay_rate_},
                                    {"staircase", staircase_},
                                    {"name", name_}});
  }

 protected:
  double exact_decays(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(decay_steps_);
  }
  std::int64_t whole_decays(std::int64_t step) const { return step / decay_steps_; }

  const char* class_name_;
  double initial_;
  std::int64_t decay_steps_;
  double decay_rate_;
  bool staircase_;
  Json name_;
};

/// initial * decay_rate^(step / decay_steps)
class ExponentialDecay final : public TimeDecay {
 public:
  explicit ExponentialDecay(KerasConfig& config)
      : TimeDecay("ExponentialDecay", config, kPositive) {}
  double rate(std::int64_t step) const override {
    if (staircase_) return initial_ * power(decay_rate_, whole_decays(step));
    return initial_ * elementary::exp(exact_decays(step) * elementary::log(decay_rate_));
  }
};

/// initial / (1 + decay_rate step / decay_steps)
class InverseTimeDecay final : public TimeDecay {
 public:
  explicit InverseTimeDecay(KerasConfig& config)
      : TimeDecay("InverseTimeDecay", config, kNotNegative) {}
  double rate(std::int64_t step) const override {
    const double decays = staircase_ ? static_cast<double>(whole_decays(step)) : exact_decays(step);
    return initial_ / (1 + decay_rate_ * decays);
  }
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

/// From the initial rate to the end's, by (1 - step / decay_steps)^power; then it stays there, or,
/// if `cycle`, starts again from higher up on a slope of twice, three times, ... the steps.
class PolynomialDecay final : public Schedule {
 public:
  explicit PolynomialDecay(KerasConfig& config);
  double rate(std::int64_t step) const override {
    std::int64_t steps = decay_steps_;
    if (cycle_ && step > steps) {
      steps *= (step + steps - 1) / steps;
    } else {
      step = std::min(step, steps);
    }
    const double left = 1 - static_cast<double>(step) / static_cast<double>(steps);
    return (initial_ - end_) * to_power(left) + end_;
  }
  Json to_json() const override {
    return keras_json("PolynomialDecay", {{"initial_learning_rate", initial_},
                                          {"decay_steps", decay_steps_},
                                          {"end_learning_rate", end_},
                                          {"power", power_},
                                          {"cycle", cycle_},
                                          {"name", name_}});
  }

 private:
  double to_power(double left) const {
    const auto whole = static_cast<std::int64_t>(power_);
    if (static_cast<double>(whole) == power_) return power(left, whole);
    return elementary::exp(power_ * elementary::log(left));
  }

  double initial_;
  std::int64_t decay_steps_;
  double end_;
  double power_;
  bool cycle_;
  Json name_;
};

/// Half a cosine again and again (Loshchilov and Hutter, arXiv 1608.03983), each t_mul times as
/// long and m_mul times as high as the one before.
class CosineDecayRestarts final : public Schedule {
 public:
  explicit CosineDecayRestarts(KerasConfig& config);
  double rate(std::int64_t step) const override {
    const double time = static_cast<double>(step) / static_cast<double>(first_decay_steps_);
    const std::int64_t restarts = restarts_before(time);
    const double progress = (time - start_of(restarts)) / power(t_mul_, restarts);
    const double height =
        power(m_mul_, restarts) * (1 + elementary::cos(std::numbers::pi * progress));
    return initial_ * ((1 - alpha_) * height / 2 + alpha_);
  }
  Json to_json() const override {
    return keras_json("CosineDecayRestarts", {{"initial_learning_rate", initial_},
                                              {"first_decay_steps", first_decay_steps_},
                                              {"t_mul", t_mul_},
                                              {"m_mul", m_mul_},
                                              {"alpha", alpha_},
                                              {"name", name_}});
  }

 private:
  /// Of the half wave behind so many restarts, in lengths of the first one.
  double start_of(std::int64_t restarts) const {
    if (t_mul_ == 1) return static_cast<double>(restarts);
    return (power(t_mul_, restarts) - 1) / (t_mul_ - 1);
  }
  std::int64_t restarts_before(double time) const {
    if (t_mul_ == 1) return static_cast<std::int64_t>(time);
    // The logarithm may miss the very step of a restart.
    auto restarts = static_cast<std::int64_t>(elementary::log(1 + time * (t_mul_ - 1)) /
                                              elementary::log(t_mul_));
    if (restarts > 0 && start_of(restarts) > time) --restarts;
    if (start_of(restarts + 1) <= time) ++restarts;
    return restarts;
  }

  double initial_;
  std::int64_t first_decay_steps_;
  double t_mul_;
  double m_mul_;
  double alpha_;
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

TimeDecay::TimeDecay(const char* class_name, KerasConfig& config, const NumberRange& decay_rates)
    : class_name_(class_name),
      initial_(config.number("initial_learning_rate", kNotNegativeFloat)),
      decay_steps_(config.integer("decay_steps", 1, KerasConfig::kMaxInteger)),
      decay_rate_(config.number("decay_rate", decay_rates)),
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

PolynomialDecay::PolynomialDecay(KerasConfig& config)
    : initial_(config.number("initial_learning_rate", kNotNegativeFloat)),
      decay_steps_(config.integer("decay_steps", 1, KerasConfig::kMaxInteger)),
      end_(config.number("end_learning_rate", 0.0001, kNotNegativeFloat)),
      power_(config.number("power", 1, kPowers)),
      cycle_(config.boolean("cycle", false)),
      name_(read_name(config)) {}

CosineDecayRestarts::CosineDecayRestarts(KerasConfig& config)
    : initial_(config.number("initial_learning_rate", kNotNegativeFloat)),
      first_decay_steps_(config.integer("first_decay_steps", 1, KerasConfig::kMaxInteger)),
      t_mul_(config.number("t_mul", 2, kAtLeastOne)),
      m_mul_(config.number("m_mul", 1, kNotNegative)),
      alpha_(config.number("alpha", 0)),
      name_(read_name(config)) {}

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
      {{"cosine_restarts",
        "CosineDecayRestarts",
        {{.key = "first_decay_steps",
          .kind = Kind::kCount,
          .help = "of the first half wave",
          .required = true},
         {.key = "t_mul",
          .range = kAtLeastOne,
          .help = "how much longer each half wave is",
          .standard = "2"},
         {.key = "m_mul",
          .range = kNotNegative,
          .help = "how much higher each half wave is",
          .standard = "1"},
         {.key = "alpha",
          .range = kNotNegative,
          .help = "last rate as a fraction of the highest",
          .standard = "0"}}},
       make<CosineDecayRestarts>},
      {{"inverse_time",
        "InverseTimeDecay",
        {decay_steps,
         {.key = "decay_rate", .range = kPositive, .required = true},
         {.key = "staircase", .kind = Kind::kFlag, .help = "decay in whole steps"}}},
       make<InverseTimeDecay>},
      {{"polynomial",
        "PolynomialDecay",
        {decay_steps,
         {.key = "end_learning_rate", .range = kNotNegative, .standard = "0.0001"},
         {.key = "power",
          .range = kPowers,
          .help = "of what is left of the steps",
          .standard = "1"},
         {.key = "cycle",
          .kind = Kind::kFlag,
          .help = "begin again, lower and longer, instead of staying at the end"}}},
       make<PolynomialDecay>},
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
