#include "src/losses/regression.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/losses/check_targets.hpp"

namespace lockstep {
namespace {

/// The sum over positions of the mean of value(d), in double, with derivative(d) for the gradient.
template <class Value, class Derivative>
double sum_of_means(ConstMatrix outputs, ConstMatrix targets, Matrix gradient, float scale,
                    Value value, Derivative derivative) {
  const auto count = static_cast<double>(outputs.columns);
  const double share = static_cast<double>(scale) / count;
  double total = 0;
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    const float* p = outputs.row(i);
    const float* t = targets.row(i);
    const auto difference = [&](std::int64_t j) {
      return static_cast<double>(p[j]) - static_cast<double>(t[j]);
    };
    double sum = 0;
    for (std::int64_t j = 0; j < outputs.columns; ++j) sum += value(difference(j));
    total += sum / count;
    if (gradient.empty()) continue;
    float* g = gradient.row(i);
    for (std::int64_t j = 0; j < outputs.columns; ++j)
      g[j] = static_cast<float>(share * derivative(difference(j)));
  }
  return total;
}

}  // namespace

double MeanSquaredError::compute(Matrix outputs, const Targets& targets, Matrix gradient,
                                 float scale, bool) const {
  check_targets("mean_squared_error", outputs, targets, target_kind());
  return sum_of_means(
      outputs, targets.values, gradient, scale, [](double d) { return d * d; },
      [](double d) { return 2 * d; });
}

double MeanAbsoluteError::compute(Matrix outputs, const Targets& targets, Matrix gradient,
                                  float scale, bool) const {
  check_targets("mean_absolute_error", outputs, targets, target_kind());
  // A NaN stays one.
  return sum_of_means(
      outputs, targets.values, gradient, scale, [](double d) { return std::abs(d); },
      [](double d) { return d > 0   ? 1.0
                            : d < 0 ? -1.0
                                    : d; });
}

double Huber::compute(Matrix outputs, const Targets& targets, Matrix gradient, float scale,
                      bool) const {
  check_targets("huber", outputs, targets, target_kind());
  const double delta = delta_;
  return sum_of_means(
      outputs, targets.values, gradient, scale,
      [delta](double d) {
        const double size = std::abs(d);
        return size <= delta ? d * d / 2 : delta * (size - delta / 2);
      },
      [delta](double d) { return d > delta    ? delta
                                 : d < -delta ? -delta
                                              : d; });
}

nlohmann::ordered_json MeanSquaredError::to_json() const {
  return name();
}

nlohmann::ordered_json MeanAbsoluteError::to_json() const {
  return name();
}

nlohmann::ordered_json Huber::to_json() const {
  if (delta_ == 1) return name();
  return {{"class_name", "Huber"}, {"config", {{"delta", delta_}}}};
}

}  // namespace lockstep
