#include "launch/train/tensorboard.hpp"

#include <algorithm>
#include <chrono>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/trainer.hpp"
#include "io/tensorboard/event_record.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

TensorBoard::TensorBoard(Options options)
    : options_(std::move(options)),
      train_(options_.directory / "train"),
      validation_(options_.directory / "validation") {}

void TensorBoard::check_free(const std::filesystem::path& directory) {
  for (const char* const part : {"train", "validation"}) {
    const EventFile file(directory / part);
    check(!file.has_from(0), ExitCode::kCannotCreate,
          "[{}] holds epochs of another run: choose another --tensorboard, or --overwrite",
          printable(file.path().string()));
  }
}

void TensorBoard::on_train_begin(Trainer& trainer) {
  on_root(trainer.communicator(), [&] {
    const History& history = trainer.history();
    const auto done = static_cast<std::int64_t>(history.size());
    // What is there must be of the epochs that are done, up to the last of them.
    const bool whole = train_.take_back(done) == done - 1;
    validation_.take_back(whole ? done : 0);
    if (whole) return;
    train_.take_back(0);
    for (const EpochReport& report : history) write(report);
  });
}

void TensorBoard::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  on_root(trainer.communicator(), [&] {
    const std::int64_t step = report.epoch - 1;
    write(report);
    if (options_.histogram_freq > 0 && step % options_.histogram_freq == 0)
      write_histograms(trainer, step);
  });
}

void TensorBoard::write(const EpochReport& report) const {
  const double time = now();
  const std::int64_t step = report.epoch - 1;
  const auto scalar = [&](const std::string& name, double value) {
    return scalar_record(time, step, "epoch_" + name, value);
  };
  std::string records = scalar("loss", report.loss);
  for (const auto& [name, value] : report.metrics) records += scalar(name, value);
  train_.add(records + scalar("learning_rate", report.learning_rate));
  if (!report.validation_loss) return;
  records = scalar("loss", *report.validation_loss);
  for (const auto& [name, value] : report.validation_metrics) records += scalar(name, value);
  validation_.add(records);
}

void TensorBoard::write_histograms(Trainer& trainer, std::int64_t step) const {
  const double time = now();
  std::string records;
  for (const auto& layer : trainer.model().layers())
    for (const Parameter& parameter : layer->parameters())
      records += histogram_record(time, step, layer->name() + "/" + parameter.path() + "/histogram",
                                  parameter.value);
  if (!records.empty()) train_.add(records);
}

}  // namespace lockstep
