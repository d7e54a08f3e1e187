#include "distributed/training/epoch_meter.hpp"

#include <cmath>
#include <utility>

#include "distributed/ranks/agreement.hpp"
#include "distributed/training/loss_sums.hpp"

namespace lockstep {

void EpochMeter::begin(std::int64_t epoch, EpochTotals done) {
  const std::size_t sums = loss_sum_count(model_->objective());
  check(done.steps == 0 || done.sums.size() == sums, ExitCode::kBadData,
        "[training state] expected {} sums of loss and metrics amid epoch {}, got {}", sums, epoch,
        done.sums.size());
  report_ = {};
  report_.epoch = epoch;
  for (const auto& metric : model_->metrics()) report_.metrics.emplace_back(metric->name(), 0.0);
  totals_ = std::move(done);
  totals_.sums.resize(sums);
  if (totals_.steps > 0) take_means();
}

void EpochMeter::add(std::span<const double> loss_sums, std::int64_t rows, double penalty) {
  totals_.sums[0] += whole_loss_sum(model_->objective(), loss_sums, rows);
  for (std::size_t i = 1; i < loss_sums.size(); ++i) totals_.sums[i] += loss_sums[i];
  totals_.steps += 1;
  totals_.rows += rows;
  totals_.penalty += penalty * static_cast<double>(rows);
  take_means();
}

void EpochMeter::take_means() {
  const auto total_rows = static_cast<double>(totals_.rows);
  const double positions = total_rows * static_cast<double>(model_->output_positions());
  const double counted = counted_positions(model_->objective(), totals_.sums, totals_.rows);
  report_.loss = totals_.sums[0] / positions + totals_.penalty / total_rows;
  auto entry = report_.metrics.begin();
  metric_results(model_->objective(), totals_.sums, counted,
                 [&](const std::string&, double value) { (entry++)->second = value; });
}

StepReport EpochMeter::step_report(std::int64_t steps, double seconds) {
  totals_.seconds = seconds;
  return {.epoch = report_.epoch,
          .step = totals_.steps,
          .steps = steps,
          .rows = totals_.rows,
          .loss = report_.loss,
          .so_far = &report_,
          .seconds = seconds};
}

void EpochMeter::finish(double seconds) {
  const Optimizer& optimizer = model_->optimizer();
  report_.learning_rate = optimizer.schedule().rate(optimizer.iterations() - 1);
  report_.train_seconds = seconds;
  report_.samples_per_second = seconds > 0 ? static_cast<double>(totals_.rows) / seconds : 0;
}

void EpochMeter::check_finite() const {
  const auto check = [&](const std::string& prefix, const std::string& name, double value) {
    check_collectively(std::isfinite(value), ExitCode::kNumerical,
                       "[trainer] epoch {}: expected a finite {}{}, got {}; try a smaller learning "
                       "rate, and look for extreme values in the {} rows",
                       report_.epoch, prefix, name, value,
                       prefix.empty() ? "training" : "validation");
  };
  check("", "loss", report_.loss);
  for (const auto& [name, value] : report_.metrics) check("", name, value);
  if (report_.validation_loss) check("val_", "loss", *report_.validation_loss);
  for (const auto& [name, value] : report_.validation_metrics) check("val_", name, value);
}

}  // namespace lockstep
