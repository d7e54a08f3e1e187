#include "src/metrics/confusion.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace lockstep {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Marks the k largest; of equal ones the first. NaN is the least.
void mark_largest(const float* p, std::int64_t k, std::vector<std::int64_t>& order,
                  std::vector<char>& marks) {
  std::iota(order.begin(), order.end(), 0);
  const auto last = order.begin() + std::min(k, std::ssize(order));
  const auto key = [&](std::int64_t j) { return p[j] == p[j] ? p[j] : -kInfinity; };
  std::nth_element(order.begin(), last, order.end(), [&](std::int64_t a, std::int64_t b) {
    return key(a) > key(b) || (key(a) == key(b) && a < b);
  });
  std::ranges::fill(marks, 0);
  for (auto it = order.begin(); it != last; ++it) marks[static_cast<std::size_t>(*it)] = 1;
}

}  // namespace

double ratio(double a, double b) {
  return b == 0 ? 0 : a / b;
}

double Confusion::precision() const {
  return ratio(true_positives, true_positives + false_positives);
}

double Confusion::recall() const {
  return ratio(true_positives, true_positives + false_negatives);
}

double Confusion::specificity() const {
  return ratio(true_negatives, true_negatives + false_positives);
}

double Confusion::fall_out() const {
  return ratio(false_positives, true_negatives + false_positives);
}

Confusion confusion_of(ConstMatrix predictions, const Targets& targets, const ConfusionRule& rule) {
  Confusion confusion;
  const std::int64_t first = rule.class_id.value_or(0);
  const std::int64_t last = rule.class_id ? first + 1 : predictions.columns;
  const auto columns = static_cast<std::size_t>(rule.top_k ? predictions.columns : 0);
  std::vector<std::int64_t> order(columns);
  std::vector<char> largest(columns);
  for (std::int64_t i = 0; i < predictions.rows; ++i) {
    const float* p = predictions.row(i);
    if (rule.top_k) mark_largest(p, *rule.top_k, order, largest);
    for (std::int64_t j = first; j < last; ++j) {
      const bool above = rule.or_equal ? p[j] >= rule.threshold : p[j] > rule.threshold;
      const bool yes = above && (!rule.top_k || largest[static_cast<std::size_t>(j)] != 0);
      double& count = targets.values.row(i)[j] != 0
                          ? (yes ? confusion.true_positives : confusion.false_negatives)
                          : (yes ? confusion.false_positives : confusion.true_negatives);
      count += 1;
    }
  }
  return confusion;
}

}  // namespace lockstep
