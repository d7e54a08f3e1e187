#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/training/callback.hpp"
#include "io/keras/history.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// What the steps of an epoch add up to, over all ranks: where training stands within it.
struct EpochTotals {
  std::int64_t steps = 0;    ///< done
  bool cut_short = false;    ///< all ranks know that no step follows: one of them asked to stop
  std::vector<double> sums;  ///< loss (each batch's whole_loss_sum()), metrics, and what counts
  std::int64_t rows = 0;
  double penalty = 0;  ///< of the regularisers, times each step's rows
  double seconds =
      0;  ///< since it began, by rank 0's clock; of a run that was stopped, less pauses
};

/// The numbers of an epoch while it runs, and its report when it is over.
class EpochMeter {
 public:
  /// The model must outlive the meter.
  explicit EpochMeter(const Network& model) : model_(&model) {}

  /// `epoch` counts from 1. Throws Error (65) if what is done of it cannot be of this model.
  void begin(std::int64_t epoch, EpochTotals done = {});
  /// A step: its loss sums over the whole batch, its rows, and the regularisers' penalty.
  void add(std::span<const double> loss_sums, std::int64_t rows, double penalty);
  /// No step follows in this epoch.
  void cut_short() { totals_.cut_short = true; }
  const EpochTotals& totals() const { return totals_; }
  /// Means of all steps so far.
  const EpochReport& report() const { return report_; }
  EpochReport& report() { return report_; }
  /// After a step, of `steps` in the epoch, which began so many seconds ago.
  StepReport step_report(std::int64_t steps, double seconds);
  /// The epoch is over after so many seconds.
  void finish(double seconds);
  /// Throws CollectiveError (70) if a number is NaN or Inf: before callbacks see it, which must
  /// neither save nor stop by it. The same on every rank.
  void check_finite() const;

 private:
  void take_means();

  const Network* model_;
  EpochTotals totals_;
  EpochReport report_;
};

}  // namespace lockstep
