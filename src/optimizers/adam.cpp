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

void Adam::update(const UpdateSpan& span) const {
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

std::vector<std::string> Adam::slot_names() const {
  if (settings_.amsgrad) return {"m", "v", "vhat"};
  return {"m", "v"};
}

}  // namespace lockstep
