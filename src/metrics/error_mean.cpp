#include "src/metrics/error_mean.hpp"

#include <cmath>

#include "src/losses/check_targets.hpp"

namespace lockstep {
namespace {

template <class Value>
double sum_of_means(ConstMatrix predictions, ConstMatrix targets, Value value) {
  double total = 0;
  for (std::int64_t i = 0; i < predictions.rows; ++i) {
    const float* p = predictions.row(i);
    const float* t = targets.row(i);
    double sum = 0;
    for (std::int64_t j = 0; j < predictions.columns; ++j)
      sum += value(static_cast<double>(p[j]) - static_cast<double>(t[j]));
    total += sum / static_cast<double>(predictions.columns);
  }
  return total;
}

}  // namespace

double mean_squared_error(ConstMatrix predictions, const Targets& targets) {
  check_targets("mean_squared_error", predictions, targets, TargetKind::kValues);
  return sum_of_means(predictions, targets.values, [](double d) { return d * d; });
}

double mean_absolute_error(ConstMatrix predictions, const Targets& targets) {
  check_targets("mean_absolute_error", predictions, targets, TargetKind::kValues);
  return sum_of_means(predictions, targets.values, [](double d) { return std::abs(d); });
}

}  // namespace lockstep
