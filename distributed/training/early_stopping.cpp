#include "distributed/training/early_stopping.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "io/keras/exact_json.hpp"

namespace lockstep {

bool EarlyStopping::better(double current, double reference) const {
  return improves(current, reference, options_.min_delta, larger_is_better_);
}

void EarlyStopping::on_train_begin(Trainer& trainer) {
  larger_is_better_ = larger_is_better(trainer.model(), options_.monitor, options_.mode);
  if (restored_) {
    const std::size_t weights = trainer.model().arena().values().size();
    check_collectively(best_weights_.empty() || best_weights_.size() == weights, ExitCode::kBadData,
                       "[early stopping] expected a state with {} best weights, got {}", weights,
                       best_weights_.size());
    return;
  }
  wait_ = stopped_epoch_ = best_epoch_ = 0;
  best_weights_.clear();
  best_ = larger_is_better_ ? -std::numeric_limits<double>::infinity()
                            : std::numeric_limits<double>::infinity();
}

void EarlyStopping::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  const std::int64_t epoch = report.epoch - 1;  // Keras counts from 0
  const std::optional<double> current = report.value(options_.monitor);
  if (!current || epoch < options_.start_from_epoch) return;
  const auto remember = [&] {
    if (!options_.restore_best_weights) return;
    const auto values = trainer.model().arena().values();
    best_weights_.assign(values.begin(), values.end());
  };

  if (options_.restore_best_weights && best_weights_.empty()) {
    remember();
    best_epoch_ = epoch;
  }
  ++wait_;
  if (better(*current, best_)) {
    best_ = *current;
    best_epoch_ = epoch;
    remember();
    if (!options_.baseline || better(*current, *options_.baseline)) wait_ = 0;
    return;
  }
  if (wait_ >= options_.patience && epoch > 0) {
    stopped_epoch_ = epoch;
    trainer.stop();
  }
}

void EarlyStopping::on_train_end(Trainer& trainer) {
  restored_ = false;
  if (!best_weights_.empty())
    std::ranges::copy(best_weights_, trainer.model().arena().values().begin());
}

std::string EarlyStopping::state() const {
  return nlohmann::ordered_json{{"wait", wait_},
                                {"stopped_epoch", stopped_epoch_},
                                {"best_epoch", best_epoch_},
                                {"best", exact_json(best_)},
                                {"best_weights", exact_json(best_weights_)}}
      .dump();
}

void EarlyStopping::restore(const std::string& state) {
  const auto json = nlohmann::ordered_json::parse(state);
  wait_ = json.at("wait");
  stopped_epoch_ = json.at("stopped_epoch");
  best_epoch_ = json.at("best_epoch");
  best_ = exact_double(json.at("best"));
  best_weights_ = exact_floats(json.at("best_weights"));
  restored_ = true;
}

}  // namespace lockstep
