#include "launch/train/run_recorder.hpp"

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

void RunRecorder::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  const bool last = report.epoch == trainer.options().epochs || trainer.will_stop();
  check_place(trainer);
  const bool due = last || report.epoch % checkpoint_every_ == 0;
  bool saved = false;
  const bool recorded = attempt(trainer, [&] {
    // The checkpoint first: RunDirectory::decide() counts on that order.
    if (due) write_checkpoint(trainer);
    saved = due;
    write_history(trainer);
  });
  failing_ = !recorded;
  if (!recorded) ++failed_epochs_;
  if (saved) remove_old_checkpoints(trainer);
}

void RunRecorder::on_train_end(Trainer& trainer) {
  training_ = false;
  check_place(trainer);
  // A run may have been killed between its last checkpoint and this.
  attempt(trainer, [&] { write_history(trainer); });
  if (failed_epochs_ > 0 && trainer.communicator().is_root()) {
    print_error(fmt::format("checkpoint or history could not be written after {} epoch(s)",
                            failed_epochs_));
  }
}

bool RunRecorder::attempt(Trainer& trainer, const std::function<void()>& action) {
  try {
    action();
    return true;
  } catch (const CollectiveError& error) {
    if (error.code() == ExitCode::kNumerical) throw;
    if (trainer.communicator().alarm_raised()) throw;  // a rank is lost, not a file
    if (!std::exchange(failing_, true)) report(trainer, error);
    return false;
  }
}

bool RunRecorder::write_final(Trainer& trainer) {
  const bool was_failing = failing_;
  const bool written = attempt(trainer, [&] {
    trainer.save(
        [&](std::span<const std::byte> bytes) {
          directory_.write(directory_.final_model(), bytes);
        },
        directory_.format());
  });
  if (!written && was_failing && trainer.communicator().is_root())
    print_error(fmt::format("[{}] could not be written either",
                            printable(directory_.final_model().string())));
  return written;
}

/// Whoever looks for the results must learn that they are elsewhere.
void RunRecorder::check_place(const Trainer& trainer) {
  if (moved_) return;
  try {
    on_root(trainer.communicator(), [&] { directory_.check_place(); });
  } catch (const CollectiveError& error) {
    moved_ = true;
    report(trainer, error);
  }
}

void RunRecorder::report(const Trainer& trainer, const Error& error) {
  if (exit_code_ == ExitCode::kDone) {
    // What a run was allowed to write when it began has been closed to it since.
    exit_code_ = error.code() == ExitCode::kPermission ? ExitCode::kCannotCreate : error.code();
    reason_ = error.what();
  }
  if (!trainer.communicator().is_root()) return;
  print_error(fmt::format("{}{}", error.what(), training_ ? "; training goes on" : ""));
}

void RunRecorder::write_history(Trainer& trainer) {
  on_root(trainer.communicator(),
          [&] { directory_.write(directory_.history(), history_to_csv(trainer.history())); });
}

void RunRecorder::write_checkpoint(Trainer& trainer) {
  const std::int64_t step = trainer.model().optimizer().iterations();
  trainer.save([&](std::span<const std::byte> bytes) { directory_.write_checkpoint(step, bytes); });
}

/// What stays takes room and nothing else: the run has all that it should have.
void RunRecorder::remove_old_checkpoints(Trainer& trainer) {
  const std::int64_t step = trainer.model().optimizer().iterations();
  std::string problem;  // of rank 0
  attempt(trainer, [&] {
    on_root(trainer.communicator(),
            [&] { problem = directory_.remove_old_checkpoints(step, keep_); });
  });
  if (!problem.empty() && !std::exchange(keeps_all_, true))
    print_error(fmt::format("warning: an old checkpoint stays: {}", problem));
}

}  // namespace lockstep
