#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "distributed/training/callback.hpp"
#include "distributed/training/monitor.hpp"

namespace lockstep {

/// Keras's EarlyStopping, rule for rule; weights are restored as Keras 3 does, also when
/// training was not stopped early.
class EarlyStopping final : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    double min_delta = 0;
    std::int64_t patience = 0;
    Mode mode = Mode::kAuto;
    std::optional<double> baseline = {};
    bool restore_best_weights = false;
    std::int64_t start_from_epoch = 0;
  };
  explicit EarlyStopping(Options options) : options_(std::move(options)) {}

  bool reads_weights_in_steps() const override { return false; }
  void on_train_begin(Trainer& trainer) override;
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;
  void on_train_end(Trainer& trainer) override;

  /// The epoch (from 0, as in Keras) at which training was stopped; 0: it was not.
  std::int64_t stopped_epoch() const { return stopped_epoch_; }
  std::int64_t best_epoch() const { return best_epoch_; }

  std::string name() const override { return "early_stopping"; }
  std::string state() const override;
  void restore(const std::string& state) override;

 private:
  bool better(double current, double reference) const;

  Options options_;
  bool larger_is_better_ = false;
  bool restored_ = false;
  std::int64_t wait_ = 0;
  std::int64_t stopped_epoch_ = 0;
  std::int64_t best_epoch_ = 0;
  double best_ = std::numeric_limits<double>::infinity();
  std::vector<float> best_weights_;
};

}  // namespace lockstep
