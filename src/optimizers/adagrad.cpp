#include "src/optimizers/adagrad.hpp"

#include <algorithm>

namespace lockstep {

std::span<const SettingField<Adagrad::Settings>> Adagrad::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"initial_accumulator_value", &Settings::initial_accumulator_value, kNotNegativeFloat},
      {"epsilon", &Settings::epsilon, kNotNegative},
  };
  return kFields;
}

Adagrad::Adagrad(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      epsilon_(static_cast<float>(settings.epsilon)) {}

void Adagrad::prepare(float rate, std::int64_t) {
  rate_ = rate;
}

std::vector<std::string> Adagrad::rule_slots() const {
  return {"accumulator"};
}

float Adagrad::rule_slot_start(std::size_t) const {
  return static_cast<float>(settings_.initial_accumulator_value);
}

void Adagrad::apply_rule(const UpdateSpan& span) const {
  apply(span, rate_);
}

void Adagrad::apply(const UpdateSpan& span, float rate) const {
  kernels().adagrad(span.values.data(), span.gradients.data(), span.slots[0].data(),
                    static_cast<std::int64_t>(span.values.size()), rate, epsilon_);
}

void Adagrad::idle(const UpdateSpan& span, std::span<const float> scalars) const {
  for_zero_gradients(span, [&](const UpdateSpan& block) {
    for (const float rate : scalars) apply(block, rate);
  });
}

/// A value stays where its gradient is 0, and 0 / sqrt(accumulator + epsilon) is 0.
bool Adagrad::settled(const UpdateSpan& span, float, std::int64_t) const {
  return std::ranges::all_of(span.slots[0], [](float sum) { return sum >= 0; });
}

}  // namespace lockstep
