#include "src/optimizers/sgd.hpp"

namespace lockstep {

std::span<const SettingField<Sgd::Settings>> Sgd::fields() {
  static constexpr SettingField<Settings> kFields[] = {
      {"momentum", &Settings::momentum, kUpToOne},
      {.key = "nesterov", .member = &Settings::nesterov, .help = "Nesterov's form of momentum"},
  };
  return kFields;
}

void Sgd::prepare(float rate, std::int64_t) {
  scalars_ = {rate, static_cast<float>(settings_.momentum), settings_.nesterov};
}

void Sgd::apply_rule(const UpdateSpan& span) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  if (settings_.momentum == 0) {
    kernels().sgd(span.values.data(), span.gradients.data(), n, scalars_.rate);
  } else {
    kernels().sgd_momentum(span.values.data(), span.gradients.data(), span.slots[0].data(), n,
                           scalars_);
  }
}

void Sgd::idle(const UpdateSpan& span, std::span<const float> scalars) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  if (settings_.momentum != 0) {
    kernels().sgd_momentum_idle(span.values.data(), span.slots[0].data(), n, scalars_,
                                scalars.data(), static_cast<std::int64_t>(scalars.size()));
    return;
  }
  for (const float rate : scalars)
    for (float& value : span.values) value -= rate * 0.0f;
}

bool Sgd::settled(const UpdateSpan& span, float, std::int64_t) const {
  return settings_.momentum == 0 ||
         kernels().sgd_settled(span.values.data(), span.slots[0].data(),
                               static_cast<std::int64_t>(span.values.size()));
}

void Sgd::decay(const UpdateSpan& span, std::int64_t steps) const {
  if (settings_.momentum == 0) return;
  kernels().sgd_decay(span.slots[0].data(), static_cast<std::int64_t>(span.values.size()),
                      scalars_.momentum, steps);
}

std::vector<std::string> Sgd::rule_slots() const {
  if (settings_.momentum == 0) return {};
  return {"momentum"};
}

}  // namespace lockstep
