#include "src/metrics/confusion.hpp"

namespace lockstep {
namespace {

bool is_among_largest(const float* p, std::int64_t count, std::int64_t j, std::int64_t k) {
  std::int64_t before = 0;
  for (std::int64_t i = 0; i < count; ++i) before += p[i] > p[j] || (p[i] == p[j] && i < j);
  return before < k;
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
  for (std::int64_t i = 0; i < predictions.rows; ++i) {
    const float* p = predictions.row(i);
    for (std::int64_t j = first; j < last; ++j) {
      const bool yes = p[j] > rule.threshold &&
                       (!rule.top_k || is_among_largest(p, predictions.columns, j, *rule.top_k));
      double& count = targets.values.row(i)[j] != 0
                          ? (yes ? confusion.true_positives : confusion.false_negatives)
                          : (yes ? confusion.false_positives : confusion.true_negatives);
      count += 1;
    }
  }
  return confusion;
}

}  // namespace lockstep
