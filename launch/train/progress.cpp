#include "launch/train/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distributed/training/trainer.hpp"
#include "src/core/memory.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kBarWidth = 30;
constexpr double kSecondsBetweenLines = 0.1;

std::string bar(std::int64_t step, std::int64_t steps) {
  const std::int64_t filled = kBarWidth * step / std::max<std::int64_t>(steps, 1);
  std::string text(static_cast<std::size_t>(kBarWidth), '.');
  std::fill_n(text.begin(), filled, '=');
  if (filled > 0 && step < steps) text[static_cast<std::size_t>(filled - 1)] = '>';
  return "[" + text + "]";
}

/// "2ms/step", as Keras rounds it.
std::string time_per_step(double seconds, std::int64_t steps) {
  const double each = steps > 0 ? seconds / static_cast<double>(steps) : 0;
  if (each >= 1 || each == 0) return fmt::format("{:.0f}s/step", each);
  if (each >= 1e-3) return fmt::format("{:.0f}ms/step", each * 1e3);
  return fmt::format("{:.0f}us/step", each * 1e6);
}

std::string duration(double seconds) {
  const auto total = static_cast<std::int64_t>(seconds);
  if (total > 3600) {
    return fmt::format("{}:{:02}:{:02}", total / 3600, total % 3600 / 60, total % 60);
  }
  if (total > 60) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}s", total);
}

std::string time_taken(const EpochReport& report, std::int64_t steps) {
  const double seconds = report.train_seconds + report.validation_seconds;
  return fmt::format("{:.0f}s {}", seconds, time_per_step(seconds, steps));
}

}  // namespace

std::string keras_number(double value) {
  return std::abs(value) > 1e-3 ? fmt::format("{:.4f}", value) : fmt::format("{:.4e}", value);
}

std::string describe_report(const EpochReport& report) {
  std::string text = "loss: " + keras_number(report.loss);
  for (const auto& [name, value] : report.metrics) {
    text += fmt::format(" - {}: {}", name, keras_number(value));
  }
  if (report.validation_loss) text += " - val_loss: " + keras_number(*report.validation_loss);
  for (const auto& [name, value] : report.validation_metrics) {
    text += fmt::format(" - val_{}: {}", name, keras_number(value));
  }
  return text;
}

std::string running_line(const StepReport& report) {
  const std::string steps = fmt::format("{}", report.steps);
  const double rate = report.seconds > 0 ? static_cast<double>(report.rows) / report.seconds : 0;
  const double left = report.seconds / static_cast<double>(std::max<std::int64_t>(report.step, 1)) *
                      static_cast<double>(report.steps - report.step);
  return fmt::format("{:>{}}/{} {} - {:.0f} samples/s - {} left - {}", report.step, steps.size(),
                     steps, bar(report.step, report.steps), rate, duration(left),
                     describe_report(*report.so_far));
}

std::string finished_line(const EpochReport& report, std::int64_t steps) {
  return fmt::format("{}/{} {} - {} - {}", steps, steps, bar(steps, steps),
                     time_taken(report, steps), describe_report(report));
}

std::string log_line(const EpochReport& report, std::int64_t epochs, std::int64_t steps) {
  return fmt::format("Epoch {}/{} - {} - {:.0f} samples/s - {}", report.epoch, epochs,
                     time_taken(report, steps), report.samples_per_second, describe_report(report));
}

void Progress::on_train_begin(Trainer& trainer) {
  if (verbose_ == 0 || !trainer.communicator().is_root() || trainer.cached_bytes() == 0) return;
  print_now(fmt::format(
      "what the layers in front make of the rows, which are not trained, was computed once: {}\n",
      mebibytes(static_cast<std::size_t>(trainer.cached_bytes()))));
}

void Progress::on_step_end(Trainer& trainer, const StepReport& report) {
  steps_ = report.steps;
  if (!rewrites() || !trainer.communicator().is_root()) return;
  if (report.epoch != epoch_) {
    epoch_ = report.epoch;
    print_now(fmt::format("Epoch {}/{}\n", report.epoch, trainer.options().epochs));
    shown_ = -kSecondsBetweenLines;
  }
  if (report.seconds - shown_ < kSecondsBetweenLines) return;
  shown_ = report.seconds;
  rewrite(running_line(report), /*fit=*/true);
}

void Progress::on_epoch_end(Trainer& trainer, const EpochReport& report) {
  if (verbose_ == 0 || !trainer.communicator().is_root()) return;
  if (rewrites()) {
    rewrite(finished_line(report, steps_), /*fit=*/false);
    print_now("\n");
    shown_width_ = 0;
  } else {
    print_now(log_line(report, trainer.options().epochs, steps_) + "\n");
  }
}

/// Over the line before it. A line that wraps could not be rewritten: `fit` cuts it.
void Progress::rewrite(std::string line, bool fit) {
  const auto columns = static_cast<std::size_t>(std::max(screen_.columns - 1, 1));
  if (fit && line.size() > columns) line.resize(columns);
  const std::size_t width = line.size();
  if (line.size() < shown_width_) line.append(shown_width_ - line.size(), ' ');
  shown_width_ = width;
  print_now("\r" + line);
}

}  // namespace lockstep
