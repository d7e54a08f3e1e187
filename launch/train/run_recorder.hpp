#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "distributed/training/callback.hpp"
#include "launch/train/run_directory.hpp"

namespace lockstep {

/// Writes checkpoints and history.csv while training goes on. What cannot be written is reported
/// (once, until something can be written again), training continues, and exit_code() says so at the
/// end. A network that must not be saved (70) ends training.
class RunRecorder final : public Callback {
 public:
  RunRecorder(RunDirectory directory, std::int64_t checkpoint_every, std::int64_t keep)
      : directory_(std::move(directory)), checkpoint_every_(checkpoint_every), keep_(keep) {}

  bool reads_weights_in_steps() const override { return false; }
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override;
  void on_train_end(Trainer& trainer) override;

  /// Runs what writes to the run directory. Whether it could; a CollectiveError is reported, unless
  /// it is numerical (70). Collective.
  bool attempt(Trainer& trainer, const std::function<void()>& action);

  /// Writes final.h5. Whether it could. Collective.
  bool write_final(Trainer& trainer);

  /// kDone, or the code of the first failure; the same on every rank.
  ExitCode exit_code() const { return exit_code_; }
  const std::string& reason() const { return reason_; }

 private:
  void check_place(const Trainer& trainer);
  void write_history(Trainer& trainer);
  void write_checkpoint(Trainer& trainer);
  void remove_old_checkpoints(Trainer& trainer);
  void report(const Trainer& trainer, const Error& error);

  RunDirectory directory_;
  std::int64_t checkpoint_every_;
  std::int64_t keep_;
  ExitCode exit_code_ = ExitCode::kDone;
  std::string reason_;
  std::int64_t failed_epochs_ = 0;
  bool training_ = true;
  bool failing_ = false;    ///< told, and nothing has been written since
  bool moved_ = false;      ///< the directory is no longer where it was
  bool keeps_all_ = false;  ///< told that an old checkpoint cannot be removed
};

/// A callback that writes to the run directory; the recorder reports what it cannot write.
class RecordedCallback final : public Callback {
 public:
  RecordedCallback(std::shared_ptr<Callback> callback, std::shared_ptr<RunRecorder> recorder)
      : callback_(std::move(callback)), recorder_(std::move(recorder)) {}

  void on_train_begin(Trainer& trainer) override { callback_->on_train_begin(trainer); }
  void on_step_end(Trainer& trainer, const StepReport& report) override {
    callback_->on_step_end(trainer, report);
  }
  void on_epoch_end(Trainer& trainer, const EpochReport& report) override {
    recorder_->attempt(trainer, [&] { callback_->on_epoch_end(trainer, report); });
  }
  void on_train_end(Trainer& trainer) override {
    recorder_->attempt(trainer, [&] { callback_->on_train_end(trainer); });
  }
  bool reads_weights_in_steps() const override { return callback_->reads_weights_in_steps(); }
  std::string name() const override { return callback_->name(); }
  std::string state() const override { return callback_->state(); }
  void restore(const std::string& state) override { callback_->restore(state); }

 private:
  std::shared_ptr<Callback> callback_;
  std::shared_ptr<RunRecorder> recorder_;
};

}  // namespace lockstep
