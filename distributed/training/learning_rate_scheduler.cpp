#include "distributed/training/learning_rate_scheduler.hpp"

#include <nlohmann/json.hpp>
#include <span>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "src/core/number_range.hpp"

namespace lockstep {

void LearningRateScheduler::on_train_begin(Trainer& trainer) {
  check_collectively(trainer.model().optimizer().schedule().to_json().is_number(), ExitCode::kUsage,
                     "[callback] expected a constant learning rate, which a function of the epoch "
                     "can set, got a schedule");
  if (!restored_) set_for_ = -1;
  restored_ = false;
  const std::int64_t epoch = std::ssize(trainer.history());
  if (set_for_ != epoch) set_rate_of(trainer, epoch);
}

void LearningRateScheduler::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  if (report.epoch >= trainer.options().epochs || trainer.will_stop()) return;
  set_rate_of(trainer, report.epoch);  // which counts from 1: that of the next, from 0
}

void LearningRateScheduler::set_rate_of(Trainer& trainer, std::int64_t epoch) {
  const auto rate = static_cast<float>(trainer.model().optimizer().learning_rate());
  double wanted = function_(epoch, static_cast<double>(rate));
  trainer.communicator().broadcast(std::span(&wanted, 1));
  check_collectively(
      kNotNegativeFloat.contains(wanted), ExitCode::kUsage,
      "[callback] learning rate of epoch {} (from 0), behind {}: expected {}, got {}", epoch, rate,
      kNotNegativeFloat.words, wanted);
  trainer.set_learning_rate(wanted);
  set_for_ = epoch;
}

std::string LearningRateScheduler::state() const {
  return nlohmann::ordered_json{{"set_for", set_for_}}.dump();
}

void LearningRateScheduler::restore(const std::string& state) {
  set_for_ = nlohmann::ordered_json::parse(state).at("set_for");
  restored_ = true;
}

}  // namespace lockstep
