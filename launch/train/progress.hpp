#pragma once

#include <string>

#include "distributed/training/callback.hpp"
#include "launch/cli/screen.hpp"

namespace lockstep {

/// Keras's form of a number: 0.3214, 2.0000e-05.
std::string keras_number(double value);

/// "loss: 0.3214 - accuracy: 0.9071 - val_loss: 0.1702 - val_accuracy: 0.9503".
std::string describe_report(const EpochReport& report);

/// Keras 2's line while an epoch runs, with rate and time left:
/// " 750/1500 [==============>...............] - 48000 samples/s - 1s left - loss: ...".
std::string running_line(const StepReport& report);

/// Keras 2's line of a finished epoch, of so many steps.
std::string finished_line(const EpochReport& report, std::int64_t steps);

/// The same for a log: "Epoch 1/5 - 3s 2ms/step - 48000 samples/s - loss: ...".
std::string log_line(const EpochReport& report, std::int64_t epochs, std::int64_t steps);

/// Shows how training goes, on rank 0: a line that is rewritten on a terminal, else one line per
/// epoch without control characters.
class Progress final : public Callback {
 public:
  Progress(std::int64_t verbose, const Screen& screen) : verbose_(verbose), screen_(screen) {}

  bool reads_weights_in_steps() const override { return false; }
  void on_train_begin(Trainer& trainer) override;
  void on_step_end(Trainer& trainer, const StepReport& report) override;
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;

 private:
  bool rewrites() const { return verbose_ == 1 && screen_.terminal; }
  void rewrite(std::string line, bool fit);

  std::int64_t verbose_;
  Screen screen_;
  std::int64_t epoch_ = 0;       ///< under way, as shown
  std::int64_t steps_ = 0;       ///< of it
  double shown_ = 0;             ///< seconds of the epoch when the line was last written
  std::size_t shown_width_ = 0;  ///< of the line on the screen
};

}  // namespace lockstep
