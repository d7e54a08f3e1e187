#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// What one epoch brought: the numbers of Keras's History, and the clock.
struct EpochReport {
  std::int64_t epoch = 0;  ///< from 1
  double loss = 0;
  std::vector<std::pair<std::string, double>> metrics;
  std::optional<double> validation_loss;
  std::vector<std::pair<std::string, double>> validation_metrics;  ///< names without "val_"
  double learning_rate = 0;                                        ///< of the epoch's last step
  double train_seconds = 0;
  double validation_seconds = 0;
  double samples_per_second = 0;  ///< trained rows / train_seconds

  /// "loss", "val_loss", "accuracy", "val_accuracy", ...; none if there is no such number.
  std::optional<double> value(const std::string& name) const;
};

using History = std::vector<EpochReport>;

/// history.csv:
/// `epoch,loss,<metrics>,val_loss,val_<metrics>,learning_rate,train_seconds,val_seconds,
/// samples_per_second`, shortest decimals that read back to the same double; empty fields on epochs
/// without validation. The val_ columns are there if any epoch has them.
std::string history_to_csv(const History& history);
/// Reads what history_to_csv writes; throws Error (65) with the line.
History history_from_csv(const std::string& text);

}  // namespace lockstep
