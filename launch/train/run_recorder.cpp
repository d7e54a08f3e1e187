#include "launch/train/run_recorder.hpp"

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "io/files/atomic_file.hpp"
#include "launch/cli/screen.hpp"

namespace lockstep {

void RunRecorder::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  const bool last = report.epoch == trainer.options().epochs || trainer.will_stop();
  try {
    // The checkpoint first: RunDirectory::decide() counts on that order.
    if (last || report.epoch % checkpoint_every_ == 0) write_checkpoint(trainer);
    write_history(trainer);
    failing_ = false;
  } catch (const CollectiveError& error) {
    if (trainer.communicator().alarm_raised()) throw;  // a rank is lost, not a file
    ++failed_epochs_;
    this->report(trainer, error);
  }
}

void RunRecorder::on_train_end(Trainer& trainer) {
  try {
    write_history(trainer);  // a run may have been killed between its last checkpoint and this
  } catch (const CollectiveError& error) {
    if (trainer.communicator().alarm_raised()) throw;
    this->report(trainer, error);
  }
  if (failed_epochs_ > 0 && trainer.communicator().is_root()) {
    print_error(fmt::format("checkpoint or history could not be written after {} epoch(s)",
                            failed_epochs_));
  }
}

void RunRecorder::report(const Trainer& trainer, const Error& error) {
  if (exit_code_ == ExitCode::kDone) exit_code_ = error.code();
  const bool is_news = !failing_;
  failing_ = true;
  if (!is_news || !trainer.communicator().is_root()) return;
  print_error(fmt::format("{}; training goes on", error.what()));
}

void RunRecorder::write_history(Trainer& trainer) {
  on_root(trainer.communicator(),
          [&] { write_atomically(directory_.history(), history_to_csv(trainer.history())); });
}

void RunRecorder::write_checkpoint(Trainer& trainer) {
  const std::int64_t step = trainer.model().optimizer().iterations();
  on_root(trainer.communicator(), [&] { directory_.check_checkpoints(); });
  trainer.save(directory_.checkpoint(step));
  on_root(trainer.communicator(), [&] { directory_.remove_old_checkpoints(step, keep_); });
}

}  // namespace lockstep
