#include "src/optimizers/lamb.hpp"

#include <cmath>

#include "src/optimizers/power.hpp"

namespace lockstep {

std::span<const SettingField<Lamb::Settings>> Lamb::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"beta_1", &Settings::beta_1, kFraction},
      {"beta_2", &Settings::beta_2, kFraction},
      {"epsilon", &Settings::epsilon, kNotNegative},
  };
  return kFields;
}

float Lamb::ratio_of(double weights, double moves) const {
  const auto of_weights = static_cast<float>(std::sqrt(weights));
  const auto of_moves = static_cast<float>(std::sqrt(moves));
  return of_weights > 0 && of_moves > 0 ? of_weights / of_moves : 1.0f;
}

void Lamb::prepare(float rate, std::int64_t t) {
  rate_ = rate;
  // Keras rounds the betas to float32 for their powers.
  const auto left = [t](double beta) {
    return static_cast<float>(1 - power(static_cast<double>(static_cast<float>(beta)), t));
  };
  momentum_left_ = left(settings_.beta_1);
  velocity_left_ = left(settings_.beta_2);
}

float Lamb::move(float momentum, float velocity) const {
  const auto epsilon = static_cast<float>(settings_.epsilon);
  return momentum / momentum_left_ / (std::sqrt(velocity / velocity_left_) + epsilon);
}

void Lamb::begin_rule(const UpdateSpan& block, TrustSums& sums) const {
  const auto of_momentum = static_cast<float>(1 - settings_.beta_1);
  const auto of_velocity = static_cast<float>(1 - settings_.beta_2);
  const std::span<float> m = block.slots[0], v = block.slots[1];
  for (std::size_t i = 0; i < block.values.size(); ++i) {
    const float g = block.gradients[i];
    m[i] += (g - m[i]) * of_momentum;
    v[i] += (g * g - v[i]) * of_velocity;
    sums.weights.add_square(block.values[i]);
    sums.moves.add_square(move(m[i], v[i]));
  }
}

void Lamb::apply_rule(const UpdateSpan& span) const {
  const float rate = span.ratio * rate_;
  const std::span<float> m = span.slots[0], v = span.slots[1];
  for (std::size_t i = 0; i < span.values.size(); ++i) span.values[i] -= rate * move(m[i], v[i]);
}

}  // namespace lockstep
