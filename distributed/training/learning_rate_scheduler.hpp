#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "distributed/training/callback.hpp"

namespace lockstep {

/// Keras's LearningRateScheduler: in front of every epoch the learning rate becomes what a function
/// of the epoch, from 0, and the rate so far, in float32, says. Rank 0's result counts. Not with a
/// schedule: on_train_begin throws CollectiveError (64).
class LearningRateScheduler final : public Callback {
 public:
  using Function = std::function<double(std::int64_t epoch, double rate)>;
  explicit LearningRateScheduler(Function function) : function_(std::move(function)) {}

  bool reads_weights_in_steps() const override { return false; }
  void on_train_begin(Trainer& trainer) override;
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;

  std::string name() const override { return "learning_rate_scheduler"; }
  std::string state() const override;
  void restore(const std::string& state) override;

 private:
  void set_rate_of(Trainer& trainer, std::int64_t epoch);

  Function function_;
  bool restored_ = false;
  std::int64_t set_for_ = -1;  ///< the epoch whose rate was set last
};

}  // namespace lockstep
