#include "src/optimizers/nadam.hpp"

#include "src/optimizers/power.hpp"

namespace lockstep {
namespace {

/// Of update t.
double momentum(double beta_1, std::int64_t t) {
  return beta_1 * (1 - 0.5 * power(0.96, t));
}

/// Of the updates 1 to t, from the product of the first `done`: always multiplied in ascending
/// order, so that who begins anew comes to the same bits.
double product(double beta_1, std::int64_t t, std::int64_t done, double of_done) {
  constexpr double kNothing = 1e-30;  // beside 1
  while (done < t && of_done > kNothing) of_done *= momentum(beta_1, ++done);
  return of_done;
}

}  // namespace

std::span<const SettingField<Nadam::Settings>> Nadam::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"beta_1", &Settings::beta_1, kFraction},
      {"beta_2", &Settings::beta_2, kFraction},
      {"epsilon", &Settings::epsilon, kNotNegative},
  };
  return kFields;
}

Nadam::Nadam(std::unique_ptr<Schedule> schedule, Settings settings)
    : Optimizer(std::move(schedule)),
      settings_(settings),
      scalars_{.m_share = 0,
               .g_share = 0,
               .v_scale = 0,
               .one_minus_beta_1 = static_cast<float>(1 - settings.beta_1),
               .one_minus_beta_2 = static_cast<float>(1 - settings.beta_2),
               .epsilon = static_cast<float>(settings.epsilon)} {}

void Nadam::prepare(float rate, std::int64_t t) {
  const double beta_1 = static_cast<float>(settings_.beta_1);
  const double beta_2 = static_cast<float>(settings_.beta_2);
  const bool follows = t == multiplied_ + 1;
  product_ = product(beta_1, t, follows ? multiplied_ : 0, follows ? product_ : 1);
  multiplied_ = t;
  const double next = momentum(beta_1, t + 1);
  scalars_.m_share = static_cast<float>(rate * next / (1 - product_ * next));
  scalars_.g_share = static_cast<float>(rate * (1 - momentum(beta_1, t)) / (1 - product_));
  scalars_.v_scale = static_cast<float>(1 / (1 - power(beta_2, t)));
}

std::vector<std::string> Nadam::rule_slots() const {
  return {"m", "v"};
}

void Nadam::apply_rule(const UpdateSpan& span) const {
  kernels().nadam(span.values.data(), span.gradients.data(), span.slots[0].data(),
                  span.slots[1].data(), static_cast<std::int64_t>(span.values.size()), scalars_);
}

std::optional<float> Nadam::kept_scalar() const {
  const double beta_1 = static_cast<float>(settings_.beta_1);
  return static_cast<float>(product(beta_1, updates_made(), 0, 1));
}

}  // namespace lockstep
