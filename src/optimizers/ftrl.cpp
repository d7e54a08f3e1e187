#include "src/optimizers/ftrl.hpp"

namespace lockstep {

std::span<const SettingField<Ftrl::Settings>> Ftrl::fields() {
  using S = Settings;
  constexpr NumberRange kNotPositive{.high = 0, .words = "a number <= 0"};
  static constexpr SettingField<S> kFields[] = {
      {"learning_rate_power", &S::learning_rate_power, kNotPositive,
       "how the rate falls with the accumulated squares"},
      {"initial_accumulator_value", &S::initial_accumulator_value, kNotNegativeFloat},
      {"l1_regularization_strength", &S::l1_regularization_strength, kNotNegativeFloat},
      {"l2_regularization_strength", &S::l2_regularization_strength, kNotNegativeFloat},
      {"l2_shrinkage_regularization_strength", &S::l2_shrinkage_regularization_strength,
       kNotNegativeFloat},
      {"beta", &S::beta, kNotNegativeFloat},
  };
  return kFields;
}

Ftrl::Ftrl(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)), settings_(settings) {}

void Ftrl::prepare(float rate, std::int64_t) {
  const double l2 =
      settings_.l2_regularization_strength + settings_.beta / (2 * static_cast<double>(rate));
  scalars_ = {rate, static_cast<float>(-settings_.learning_rate_power),
              static_cast<float>(settings_.l1_regularization_strength), static_cast<float>(2 * l2),
              static_cast<float>(2 * settings_.l2_shrinkage_regularization_strength)};
}

std::vector<std::string> Ftrl::rule_slots() const {
  return {"accumulator", "linear"};
}

float Ftrl::rule_slot_start(std::size_t slot) const {
  return slot == 0 ? static_cast<float>(settings_.initial_accumulator_value) : 0;
}

void Ftrl::apply_rule(const UpdateSpan& span) const {
  kernels().ftrl(span.values.data(), span.gradients.data(), span.slots[0].data(),
                 span.slots[1].data(), static_cast<std::int64_t>(span.values.size()), scalars_);
}

}  // namespace lockstep
