#include "distributed/training/learning_rate_scheduler.hpp"

#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "src/core/number_range.hpp"

namespace lockstep {

void LearningRateScheduler::on_train_begin(Trainer& trainer) {
  check_collectively(trainer.model().optimizer().schedule().to_json().is_number(), ExitCode::kUsage,
                     "[callback] expected a constant learning rate, which a function of the epoch "
                     "can set, got a schedule");
  if (!restored_) set_rate_of(trainer, 0);
  restored_ = false;
}

void LearningRateScheduler::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  set_rate_of(trainer, report.epoch);  // which counts from 1: that of the next, from 0
}

void LearningRateScheduler::set_rate_of(Trainer& trainer, std::int64_t epoch) const {
  const auto rate = static_cast<float>(trainer.model().optimizer().learning_rate());
  const double wanted = function_(epoch, static_cast<double>(rate));
  check_collectively(
      kNotNegativeFloat.contains(wanted), ExitCode::kUsage,
      "[callback] learning rate of epoch {} (from 0), behind {}: expected {}, got {}", epoch, rate,
      kNotNegativeFloat.words, wanted);
  trainer.set_learning_rate(wanted);
}

}  // namespace lockstep
