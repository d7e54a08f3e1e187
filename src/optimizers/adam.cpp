#include "src/optimizers/adam.hpp"

#include <cmath>

#include "src/optimizers/power.hpp"

namespace lockstep {

std::span<const SettingField<Adam::Settings>> Adam::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"beta_1", &Settings::beta_1, kFraction},
      {"beta_2", &Settings::beta_2, kFraction},
      {"epsilon", &Settings::epsilon, kNotNegative},
      {.key = "amsgrad", .member = &Settings::amsgrad, .help = "the variant of that name"},
  };
  return kFields;
}

Adam::Adam(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      scalars_{0, static_cast<float>(1 - settings.beta_1), static_cast<float>(1 - settings.beta_2),
               static_cast<float>(settings.epsilon)} {}

void Adam::prepare(float rate, std::int64_t t) {
  // Keras rounds the betas to float32 for their powers: 1.3e-5 of 1 - beta_2.
  const double beta_1 = static_cast<float>(settings_.beta_1);
  const double beta_2 = static_cast<float>(settings_.beta_2);
  const double correction = std::sqrt(1 - power(beta_2, t)) / (1 - power(beta_1, t));
  scalars_.alpha = static_cast<float>(static_cast<double>(rate) * correction);
}

void Adam::apply_rule(const UpdateSpan& span) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  float* m = span.slots[0].data();
  float* v = span.slots[1].data();
  if (settings_.amsgrad) {
    kernels().adam_amsgrad(span.values.data(), span.gradients.data(), m, v, span.slots[2].data(), n,
                           scalars_);
  } else {
    kernels().adam(span.values.data(), span.gradients.data(), m, v, n, scalars_);
  }
}

bool Adam::rule_catches_up() const {
  return scalars_.epsilon >= kEpsilonCounts;
}

void Adam::idle(const UpdateSpan& span, std::span<const float> scalars) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  const auto steps = static_cast<std::int64_t>(scalars.size());
  if (settings_.amsgrad) {
    kernels().adam_amsgrad_idle(span.values.data(), span.slots[0].data(), span.slots[1].data(),
                                span.slots[2].data(), n, scalars_, scalars.data(), steps);
  } else {
    kernels().adam_idle(span.values.data(), span.slots[0].data(), span.slots[1].data(), n, scalars_,
                        scalars.data(), steps);
  }
}

bool Adam::settled(const UpdateSpan& span, float most, std::int64_t steps) const {
  // AMSGrad's vhat never falls; v loses one_minus_beta_2 of itself and half an ulp in each step.
  const double left =
      settings_.amsgrad
          ? 1
          : power((1 - static_cast<double>(scalars_.one_minus_beta_2)) * (1 - 0x1p-23), steps);
  AdamScalars scalars = scalars_;
  scalars.alpha = most;
  return kernels().adam_settled(
      span.values.data(), span.slots[0].data(), span.slots[settings_.amsgrad ? 2 : 1].data(),
      static_cast<std::int64_t>(span.values.size()), scalars, static_cast<float>(0.999 * left));
}

void Adam::decay(const UpdateSpan& span, std::int64_t steps) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  float* const m = span.slots[0].data();
  float* const v = span.slots[1].data();
  if (settings_.amsgrad && steps > 0) {
    // v falls: only the first of them can be vhat.
    kernels().adam_decay(m, v, n, scalars_, 1);
    for (std::size_t i = 0; i < span.values.size(); ++i)
      span.slots[2][i] = v[i] > span.slots[2][i] ? v[i] : span.slots[2][i];
    --steps;
  }
  kernels().adam_decay(m, v, n, scalars_, steps);
}

std::vector<std::string> Adam::rule_slots() const {
  if (settings_.amsgrad) return {"m", "v", "vhat"};
  return {"m", "v"};
}

}  // namespace lockstep
