#include "launch/train/linear_scaling.hpp"

#include "src/core/error.hpp"

namespace lockstep {

std::string resolve_linear_scaling(TrainSettings& settings, std::int64_t steps_per_epoch) {
  const std::int64_t base = settings.linear_scaling, batch = settings.training.batch_size;
  if (base == 0) return "";
  const auto expect = [](bool condition, const char* what) {
    check(condition, ExitCode::kUsage, "[options] --linear-scaling: expected {}", what);
  };
  expect(
      settings.learning_rate.has_value(),
      "--learning-rate with --from or a piecewise schedule, got none: that of batches of so many "
      "samples");
  const bool cosine = settings.schedule == "cosine";
  expect(cosine || !settings.schedule || settings.schedule == "constant",
         "a constant learning rate behind the warm-up, or --learning-rate-schedule cosine, got "
         "another schedule");
  expect(!settings.schedule_settings.contains("warmup_steps"),
         "--warmup-epochs instead of --warmup-steps and --warmup-target, got these");
  settings.linear_scaling = 0;

  const double rate = *settings.learning_rate;
  const double scaled = rate * static_cast<double>(batch) / static_cast<double>(base);
  std::string text = fmt::format("linear scaling: learning rate {} for batches of {}, {} for {}",
                                 rate, base, scaled, batch);
  const std::int64_t steps = settings.warmup_epochs * steps_per_epoch;
  if (batch <= base || steps == 0) {
    settings.learning_rate = scaled;
    return fmt::format("{}: --learning-rate {}", text, scaled);
  }
  if (!cosine) {  // of which nothing but the warm-up is left
    settings.schedule = "cosine";
    settings.schedule_settings["decay_steps"] = 1;
    settings.schedule_settings["alpha"] = 1.0;
  }
  settings.schedule_settings["warmup_steps"] = steps;
  settings.schedule_settings["warmup_target"] = scaled;
  return fmt::format(
      "{}, to which it rises in {} epochs: --learning-rate-schedule cosine --warmup-steps {} "
      "--warmup-target {}{}",
      text, settings.warmup_epochs, steps, scaled, cosine ? "" : " --decay-steps 1 --alpha 1");
}

}  // namespace lockstep
