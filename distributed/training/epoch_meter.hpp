#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/training/callback.hpp"
#include "io/keras/history.hpp"
#include "src/model/network.hpp"

namespace lockstep {

/// What the steps of an epoch add up to, over all ranks.
struct EpochTotals {
  std::vector<double> sums;  ///< loss and metrics, over rows and positions
  std::int64_t rows = 0;
  double penalty = 0;  ///< of the regularisers, times each step's rows
};

/// The numbers of an epoch while it runs, and its report when it is over.
class EpochMeter {
 public:
  /// The model must outlive the meter.
  explicit EpochMeter(const Network& model) : model_(&model) {}

  /// `epoch` counts from 1.
  void begin(std::int64_t epoch);
  /// A step: its loss sums over the whole batch, its rows, and the regularisers' penalty.
  void add(std::span<const double> loss_sums, std::int64_t rows, double penalty);
  /// Means of all steps so far.
  const EpochReport& report() const { return report_; }
  EpochReport& report() { return report_; }
  StepReport step_report(std::int64_t step, std::int64_t steps, double seconds) const;
  /// The epoch is over after so many seconds.
  void finish(double seconds);
  /// Throws CollectiveError (70) if a number is NaN or Inf: before callbacks see it, which must
  /// neither save nor stop by it. The same on every rank.
  void check_finite() const;

 private:
  const Network* model_;
  EpochTotals totals_;
  EpochReport report_;
};

}  // namespace lockstep
