#include "src/optimizers/lars.hpp"

#include <cmath>

namespace lockstep {

std::span<const SettingField<Lars::Settings>> Lars::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"momentum", &Settings::momentum, kUpToOne},
      {"trust_coefficient", &Settings::trust_coefficient, kPositive,
       "how far a weight moves, as a share of its norm"},
      {"weight_decay_rate", &Settings::weight_decay_rate, kNotNegative,
       "of the weights, within the trust ratio"},
  };
  return kFields;
}

float Lars::ratio_of(double weights, double moves) const {
  const double of_weights = std::sqrt(weights), of_gradients = std::sqrt(moves);
  if (!(of_weights > 0 && of_gradients > 0)) return 1;
  return static_cast<float>(settings_.trust_coefficient * of_weights /
                            (of_gradients + settings_.weight_decay_rate * of_weights));
}

void Lars::begin_rule(const UpdateSpan& block, TrustSums& sums) const {
  for (const float weight : block.values) sums.weights.add_square(weight);
  for (const float gradient : block.gradients) sums.moves.add_square(gradient);
}

void Lars::apply_rule(const UpdateSpan& span) const {
  const auto momentum = static_cast<float>(settings_.momentum);
  const auto decay = static_cast<float>(settings_.weight_decay_rate);
  const float rate = span.ratio * rate_;
  const std::span<float> velocity = span.slots[0];
  for (std::size_t i = 0; i < span.values.size(); ++i) {
    velocity[i] = momentum * velocity[i] + rate * (span.gradients[i] + decay * span.values[i]);
    span.values[i] -= velocity[i];
  }
}

}  // namespace lockstep
