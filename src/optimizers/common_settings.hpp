#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>

#include "src/optimizers/setting.hpp"

namespace lockstep {

/// What every optimizer of Keras can be set to; 0 is off.
struct CommonSettings {
  double weight_decay = 0;  ///< decoupled: value -= value * weight_decay * rate, before the update
  double clipnorm = 0;      ///< of the gradient by each parameter
  double global_clipnorm = 0;  ///< of all together
  double clipvalue = 0;        ///< of each number of it
  bool use_ema = false;        ///< averages of the weights, which are the weights in the end
  double ema_momentum = 0.99;
  std::int64_t ema_overwrite_frequency = 0;  ///< steps after which they are the weights meanwhile
  std::int64_t gradient_accumulation_steps = 0;  ///< one update of the mean gradient of so many

  bool clips_norms() const { return clipnorm > 0 || global_clipnorm > 0; }
  bool accumulates() const { return gradient_accumulation_steps > 1; }
};

std::span<const SettingField<CommonSettings>> common_fields();
/// `standard`: what counts where the config has nothing.
CommonSettings read_common(const CommonSettings& standard, KerasConfig& config);
/// What is on, or off that is usually on: older Keras does not know every key.
void write_common(const CommonSettings& settings, const CommonSettings& standard,
                  nlohmann::ordered_json& config);

}  // namespace lockstep
