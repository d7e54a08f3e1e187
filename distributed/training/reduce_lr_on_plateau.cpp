#include "distributed/training/reduce_lr_on_plateau.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "io/keras/exact_json.hpp"

namespace lockstep {

void ReduceLROnPlateau::on_train_begin(Trainer& trainer) {
  larger_is_better_ = larger_is_better(trainer.model(), options_.monitor, options_.mode);
  check_collectively(trainer.model().optimizer().schedule().to_json().is_number(), ExitCode::kUsage,
                     "[callback] expected a constant learning rate, which can be reduced on a "
                     "plateau, got a schedule");
  if (!restored_) {
    wait_ = cooldown_left_ = 0;
    best_.reset();
  }
  restored_ = false;
}

void ReduceLROnPlateau::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  const std::optional<double> current = report.value(options_.monitor);
  if (!current) return;
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    wait_ = 0;
  }
  if (!best_ || improves(*current, *best_, options_.min_delta, larger_is_better_)) {
    best_ = current;
    wait_ = 0;
  } else if (cooldown_left_ == 0 && ++wait_ >= options_.patience) {
    reduce(trainer);
  }
}

/// The rate in float32, as Keras holds it.
void ReduceLROnPlateau::reduce(Trainer& trainer) {
  const auto rate = static_cast<float>(trainer.model().optimizer().learning_rate());
  if (!(rate > static_cast<float>(options_.min_lr))) return;
  trainer.set_learning_rate(std::max(static_cast<double>(rate) * options_.factor, options_.min_lr));
  cooldown_left_ = options_.cooldown;
  wait_ = 0;
}

std::string ReduceLROnPlateau::state() const {
  nlohmann::ordered_json json = {{"wait", wait_}, {"cooldown_left", cooldown_left_}};
  if (best_) json["best"] = exact_json(*best_);
  return json.dump();
}

void ReduceLROnPlateau::restore(const std::string& state) {
  const auto json = nlohmann::ordered_json::parse(state);
  wait_ = json.at("wait");
  cooldown_left_ = json.at("cooldown_left");
  best_.reset();
  if (json.contains("best")) best_ = exact_double(json["best"]);
  restored_ = true;
}

}  // namespace lockstep
