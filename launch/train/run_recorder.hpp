#pragma once

#include "distributed/training/callback.hpp"
#include "launch/train/run_directory.hpp"

namespace lockstep {

/// Writes checkpoints and history.csv while training goes on. What cannot be written is reported
/// (once, until something can be written again), training continues, and exit_code() says so at the
/// end.
class RunRecorder final : public Callback {
 public:
  RunRecorder(RunDirectory directory, std::int64_t checkpoint_every, std::int64_t keep)
      : directory_(std::move(directory)), checkpoint_every_(checkpoint_every), keep_(keep) {}

  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;
  void on_train_end(Trainer& trainer) override;

  /// kDone, or the code of the first failure; the same on every rank.
  ExitCode exit_code() const { return exit_code_; }

 private:
  void write_history(Trainer& trainer);
  void write_checkpoint(Trainer& trainer);
  void report(const Trainer& trainer, const Error& error);

  RunDirectory directory_;
  std::int64_t checkpoint_every_;
  std::int64_t keep_;
  ExitCode exit_code_ = ExitCode::kDone;
  std::int64_t failed_epochs_ = 0;
  bool failing_ = false;  ///< the last epoch could not be recorded
};

}  // namespace lockstep
