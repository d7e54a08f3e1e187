#include "src/optimizers/adamax.hpp"

#include "src/optimizers/power.hpp"

namespace lockstep {

std::span<const SettingField<Adamax::Settings>> Adamax::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"beta_1", &Settings::beta_1, kFraction},
      {"beta_2", &Settings::beta_2, kFraction},
      {"epsilon", &Settings::epsilon, kNotNegative},
  };
  return kFields;
}

Adamax::Adamax(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      scalars_{0, static_cast<float>(1 - settings.beta_1), static_cast<float>(settings.beta_2),
               static_cast<float>(settings.epsilon)} {}

void Adamax::prepare(float rate, std::int64_t t) {
  const double beta_1 = static_cast<float>(settings_.beta_1);
  scalars_.alpha = static_cast<float>(static_cast<double>(rate) / (1 - power(beta_1, t)));
}

std::vector<std::string> Adamax::rule_slots() const {
  return {"m", "v"};
}

void Adamax::apply_rule(const UpdateSpan& span) const {
  kernels().adamax(span.values.data(), span.gradients.data(), span.slots[0].data(),
                   span.slots[1].data(), static_cast<std::int64_t>(span.values.size()), scalars_);
}

}  // namespace lockstep
