#include "src/optimizers/lion.hpp"

#include "src/core/error.hpp"

namespace lockstep {

std::span<const SettingField<Lion::Settings>> Lion::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"beta_1", &Settings::beta_1, kFraction},
      {"beta_2", &Settings::beta_2, kFraction},
  };
  return kFields;
}

Lion::Lion(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      scalars_{0, static_cast<float>(settings.beta_1), static_cast<float>(1 - settings.beta_1),
               static_cast<float>(settings.beta_2), static_cast<float>(1 - settings.beta_2)} {
  check(settings.beta_1 > 0, ExitCode::kBadData,
        "[lion] beta_1: expected a number > 0 and < 1, got {}", settings.beta_1);
}

void Lion::prepare(float rate, std::int64_t) {
  scalars_.rate = rate;
}

std::vector<std::string> Lion::rule_slots() const {
  return {"momentum"};
}

void Lion::apply_rule(const UpdateSpan& span) const {
  kernels().lion(span.values.data(), span.gradients.data(), span.slots[0].data(),
                 static_cast<std::int64_t>(span.values.size()), scalars_);
}

}  // namespace lockstep
