#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"
#include "src/metrics/confusion.hpp"

namespace lockstep {

/// Counts of predictions by how many of some thresholds they exceed: all that is needed for the
/// confusion at each of them. As Keras counts them: predictions are clipped to [0, 1] and binned in
/// float32 where thresholds are evenly spread, compared with each otherwise.
class ThresholdCounts {
 public:
  /// Ascending. `all_exceed_first`: AUC's first threshold is a little below 0.
  ThresholdCounts(std::vector<float> thresholds, bool evenly_spread, bool all_exceed_first);
  /// 0, 1 / (n - 1), ..., 1; of one alone 0.5.
  static ThresholdCounts even(std::int64_t n, bool all_exceed_first);

  /// Of targets that say yes, then of the others.
  std::size_t size() const { return 2 * (thresholds_.size() + 1); }
  void add(float p, bool target, std::span<double> counts) const;
  /// By threshold.
  std::vector<Confusion> confusions(std::span<const double> counts) const;

 private:
  std::size_t exceeded(float p) const;

  std::vector<float> thresholds_;
  bool evenly_spread_, all_exceed_first_;
};

enum class Curve { kRoc, kPr, kPrGain };
enum class Summation { kInterpolation, kMinoring, kMajoring };

/// The area under a curve through these points as Keras sums it up.
double area_under(Curve curve, Summation summation, std::span<const Confusion> points);

}  // namespace lockstep
