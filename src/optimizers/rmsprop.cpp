#include "src/optimizers/rmsprop.hpp"

#include <algorithm>

namespace lockstep {

std::span<const SettingField<Rmsprop::Settings>> Rmsprop::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"rho", &Settings::rho, kUpToOne},
      {"momentum", &Settings::momentum, kUpToOne},
      {"epsilon", &Settings::epsilon, kNotNegative},
      {.key = "centered",
       .member = &Settings::centered,
       .help = "divide by the variance of gradients instead of their squares"},
  };
  return kFields;
}

Rmsprop::Rmsprop(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      scalars_{0, static_cast<float>(settings.rho), static_cast<float>(1 - settings.rho),
               static_cast<float>(settings.momentum), static_cast<float>(settings.epsilon)} {}

void Rmsprop::prepare(float rate, std::int64_t) {
  scalars_.rate = rate;
}

std::vector<std::string> Rmsprop::rule_slots() const {
  std::vector<std::string> names = {"rms"};
  if (settings_.momentum > 0) names.emplace_back("momentum");
  if (settings_.centered) names.emplace_back("mg");
  return names;
}

void Rmsprop::apply_rule(const UpdateSpan& span) const {
  apply(span, scalars_);
}

void Rmsprop::apply(const UpdateSpan& span, const RmspropScalars& scalars) const {
  float* const velocity = settings_.momentum > 0 ? span.slots[1].data() : nullptr;
  float* const average =
      settings_.centered ? span.slots[settings_.momentum > 0 ? 2 : 1].data() : nullptr;
  kernels().rmsprop(span.values.data(), span.gradients.data(), span.slots[0].data(), velocity,
                    average, static_cast<std::int64_t>(span.values.size()), scalars);
}

/// Plain, a value stays where its gradient is 0, and 0 / sqrt(rms + epsilon) is 0.
bool Rmsprop::rule_catches_up() const {
  return settings_.momentum == 0 && !settings_.centered && scalars_.epsilon >= kEpsilonCounts;
}

void Rmsprop::idle(const UpdateSpan& span, std::span<const float> scalars) const {
  for_zero_gradients(span, [&](const UpdateSpan& block) {
    RmspropScalars of_step = scalars_;
    for (const float rate : scalars) {
      of_step.rate = rate;
      apply(block, of_step);
    }
  });
}

bool Rmsprop::settled(const UpdateSpan& span, float, std::int64_t) const {
  return std::ranges::all_of(span.slots[0], [](float rms) { return rms >= 0; });
}

void Rmsprop::decay(const UpdateSpan& span, std::int64_t steps) const {
  kernels().sgd_decay(span.slots[0].data(), static_cast<std::int64_t>(span.values.size()),
                      scalars_.rho, steps);
}

}  // namespace lockstep
