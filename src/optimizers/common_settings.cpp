#include "src/optimizers/common_settings.hpp"

#include <nlohmann/json.hpp>

namespace lockstep {

std::span<const SettingField<CommonSettings>> common_fields() {
  using S = CommonSettings;
  static constexpr SettingField<S> kFields[] = {
      {"weight_decay", &S::weight_decay, kNotNegativeFloat,
       "decoupled: every weight loses this part of it times the learning rate in each update"},
      {"clipnorm", &S::clipnorm, kNotNegativeFloat,
       "gradients of each parameter are scaled down to this norm; 0: never"},
      {"global_clipnorm", &S::global_clipnorm, kNotNegativeFloat,
       "all gradients together are scaled down to this norm; 0: never"},
      {"clipvalue", &S::clipvalue, kNotNegativeFloat,
       "each number of a gradient is cut off at plus and minus this; 0: never"},
      {.key = "use_ema", .member = &S::use_ema, .help = "end with moving averages of the weights"},
      {"ema_momentum", &S::ema_momentum, kUpToOne, "share of the old average in the new one"},
      {.key = "ema_overwrite_frequency",
       .member = &S::ema_overwrite_frequency,
       .help = "updates after which the averages become the weights, again and again"},
      {.key = "gradient_accumulation_steps",
       .member = &S::gradient_accumulation_steps,
       .help = "batches of which the mean gradient makes one update"},
  };
  return kFields;
}

CommonSettings read_common(const CommonSettings& standard, KerasConfig& config) {
  CommonSettings settings = standard;
  auto fields = common_fields();
  // Keras 2.11 writes so that there is none.
  if (const auto* decay = config.find("weight_decay"); decay && *decay == false) {
    settings.weight_decay = 0;
    fields = fields.subspan(1);
  }
  settings = read_fields(fields, config, settings);
  if ((settings.clipnorm > 0) + (settings.global_clipnorm > 0) + (settings.clipvalue > 0) > 1)
    config.object_to("clipnorm", "at most one of clipnorm, global_clipnorm and clipvalue", "more");
  return settings;
}

void write_common(const CommonSettings& settings, const CommonSettings& standard,
                  nlohmann::ordered_json& config) {
  if (settings.weight_decay != 0 || standard.weight_decay != 0)
    config["weight_decay"] = settings.weight_decay;
  if (settings.clipnorm > 0) config["clipnorm"] = settings.clipnorm;
  if (settings.global_clipnorm > 0) config["global_clipnorm"] = settings.global_clipnorm;
  if (settings.clipvalue > 0) config["clipvalue"] = settings.clipvalue;
  if (settings.use_ema) {
    config["use_ema"] = true;
    config["ema_momentum"] = settings.ema_momentum;
    config["ema_overwrite_frequency"] = nullptr;
    if (settings.ema_overwrite_frequency > 0)
      config["ema_overwrite_frequency"] = settings.ema_overwrite_frequency;
  }
  if (settings.accumulates())
    config["gradient_accumulation_steps"] = settings.gradient_accumulation_steps;
}

}  // namespace lockstep
