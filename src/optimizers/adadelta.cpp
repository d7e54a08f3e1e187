#include "src/optimizers/adadelta.hpp"

#include <algorithm>

namespace lockstep {

std::span<const SettingField<Adadelta::Settings>> Adadelta::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"rho", &Settings::rho, kUpToOne},
      {"epsilon", &Settings::epsilon, kNotNegative},
  };
  return kFields;
}

Adadelta::Adadelta(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      scalars_{0, static_cast<float>(settings.rho), static_cast<float>(1 - settings.rho),
               static_cast<float>(settings.epsilon)} {}

void Adadelta::prepare(float rate, std::int64_t) {
  scalars_.rate = rate;
}

std::vector<std::string> Adadelta::rule_slots() const {
  return {"accum_grad", "accum_var"};
}

void Adadelta::apply_rule(const UpdateSpan& span) const {
  apply(span, scalars_);
}

void Adadelta::apply(const UpdateSpan& span, const AdadeltaScalars& scalars) const {
  kernels().adadelta(span.values.data(), span.gradients.data(), span.slots[0].data(),
                     span.slots[1].data(), static_cast<std::int64_t>(span.values.size()), scalars);
}

void Adadelta::idle(const UpdateSpan& span, std::span<const float> scalars) const {
  for_zero_gradients(span, [&](const UpdateSpan& block) {
    AdadeltaScalars of_step = scalars_;
    for (const float rate : scalars) {
      of_step.rate = rate;
      apply(block, of_step);
    }
  });
}

/// A value stays where its gradient is 0, if that is multiplied and divided by usual numbers.
bool Adadelta::settled(const UpdateSpan& span, float, std::int64_t) const {
  const auto usual = [](float mean) { return mean >= 0 && mean < 1e30f; };
  return std::ranges::all_of(span.slots[0], [](float mean) { return mean >= 0; }) &&
         std::ranges::all_of(span.slots[1], usual);
}

void Adadelta::decay(const UpdateSpan& span, std::int64_t steps) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  for (std::size_t slot = 0; slot < 2; ++slot)
    kernels().sgd_decay(span.slots[slot].data(), n, scalars_.rho, steps);
}

}  // namespace lockstep
