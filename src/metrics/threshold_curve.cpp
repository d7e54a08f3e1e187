#include "src/metrics/threshold_curve.hpp"

#include <algorithm>
#include <cmath>

#include "src/core/elementary.hpp"

namespace lockstep {
namespace {

struct Point {
  double x, y;
};

/// Flach and Kull's gains (NIPS 2015), with Keras's fixes.
Point gains(const Confusion& c) {
  const double scale =
      ratio(c.true_positives + c.false_negatives, c.true_negatives + c.false_positives);
  if (c.true_positives == 0) return {0, 1};
  return {std::max(1 - scale * c.false_negatives / c.true_positives, 0.0),
          1 - scale * c.false_positives / c.true_positives};
}

Point point_of(Curve curve, const Confusion& c) {
  switch (curve) {
    case Curve::kRoc:
      return {c.fall_out(), c.recall()};
    case Curve::kPr:
      return {c.recall(), c.precision()};
    default:
      return gains(c);
  }
}

double height_of(Summation summation, double a, double b) {
  switch (summation) {
    case Summation::kMinoring:
      return std::min(a, b);
    case Summation::kMajoring:
      return std::max(a, b);
    default:
      return (a + b) / 2;
  }
}

/// Between two points true positives grow linearly with all positives (Davis and Goadrich, ICML
/// 2006).
double interpolated_precision(const Confusion& a, const Confusion& b) {
  const double positives_a = a.true_positives + a.false_positives;
  const double positives_b = b.true_positives + b.false_positives;
  const double rise = a.true_positives - b.true_positives;
  const double slope = ratio(rise, std::max(positives_a - positives_b, 0.0));
  const double intercept = b.true_positives - slope * positives_b;
  const double growth = positives_a > 0 && positives_b > 0 ? positives_a / positives_b : 1;
  return ratio(slope * (rise + intercept * elementary::log(growth)),
               b.true_positives + b.false_negatives);
}

}  // namespace

ThresholdCounts::ThresholdCounts(std::vector<float> thresholds, bool evenly_spread,
                                 bool all_exceed_first)
    : thresholds_(std::move(thresholds)),
      evenly_spread_(evenly_spread),
      all_exceed_first_(all_exceed_first) {}

ThresholdCounts ThresholdCounts::even(std::int64_t n, bool all_exceed_first) {
  if (n == 1) return {{0.5f}, false, false};
  std::vector<float> thresholds;
  for (std::int64_t i = 0; i < n; ++i)
    thresholds.push_back(static_cast<float>(static_cast<double>(i) / static_cast<double>(n - 1)));
  return {std::move(thresholds), true, all_exceed_first};
}

std::size_t ThresholdCounts::exceeded(float p) const {
  if (!evenly_spread_)
    return static_cast<std::size_t>(std::ranges::lower_bound(thresholds_, p) - thresholds_.begin());
  const float clipped = p > 0 ? std::min(p, 1.0f) : 0.0f;
  const auto bin =
      static_cast<std::size_t>(std::ceil(clipped * static_cast<float>(thresholds_.size() - 1)));
  return all_exceed_first_ ? std::max<std::size_t>(bin, 1) : bin;
}

void ThresholdCounts::add(float p, bool target, std::span<double> counts) const {
  counts[exceeded(p) + (target ? 0 : thresholds_.size() + 1)] += 1;
}

std::vector<Confusion> ThresholdCounts::confusions(std::span<const double> counts) const {
  const std::size_t n = thresholds_.size();
  const std::span<const double> yes = counts.first(n + 1);
  const std::span<const double> no = counts.subspan(n + 1, n + 1);
  std::vector<Confusion> confusions(n);
  Confusion at;
  for (const double count : yes) at.false_negatives += count;
  for (const double count : no) at.true_negatives += count;
  for (std::size_t i = n; i-- > 0;) {
    at.true_positives += yes[i + 1];
    at.false_negatives -= yes[i + 1];
    at.false_positives += no[i + 1];
    at.true_negatives -= no[i + 1];
    confusions[i] = at;
  }
  return confusions;
}

double area_under(Curve curve, Summation summation, std::span<const Confusion> points) {
  double area = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    if (curve == Curve::kPr && summation == Summation::kInterpolation) {
      area += interpolated_precision(points[i], points[i + 1]);
      continue;
    }
    const Point a = point_of(curve, points[i]);
    const Point b = point_of(curve, points[i + 1]);
    area += (a.x - b.x) * height_of(summation, a.y, b.y);
  }
  return area;
}

}  // namespace lockstep
