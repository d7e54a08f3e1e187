#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "distributed/training/callback.hpp"
#include "distributed/training/monitor.hpp"

namespace lockstep {

/// Keras's ReduceLROnPlateau, rule for rule: multiplies the learning rate by `factor` when a number
/// has not improved for `patience` epochs, from the next epoch on. Not with a schedule:
/// on_train_begin throws CollectiveError (64).
class ReduceLROnPlateau final : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    double factor = 0.1;  ///< in [0, 1)
    std::int64_t patience = 10;
    Mode mode = Mode::kAuto;
    double min_delta = 1e-4;
    std::int64_t cooldown = 0;  ///< epochs after a reduction in which none is counted
    double min_lr = 0;
  };
  explicit ReduceLROnPlateau(Options options) : options_(std::move(options)) {}

  bool reads_weights_in_steps() const override { return false; }
  void on_train_begin(Trainer& trainer) override;
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;

  std::string name() const override { return "reduce_lr_on_plateau"; }
  std::string state() const override;
  void restore(const std::string& state) override;

 private:
  void reduce(Trainer& trainer);

  Options options_;
  bool larger_is_better_ = false;
  bool restored_ = false;
  std::int64_t wait_ = 0;
  std::int64_t cooldown_left_ = 0;
  std::optional<double> best_;
};

}  // namespace lockstep
