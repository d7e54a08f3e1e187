#include "src/metrics/accuracy.hpp"

#include <algorithm>
#include <cmath>

#include "src/losses/check_targets.hpp"

namespace lockstep {
namespace {

std::int64_t argmax(const float* row, std::int64_t count) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < count; ++j)
    if (row[j] > row[best]) best = j;
  return best;
}

bool in_top_k(const float* row, std::int64_t count, std::int64_t true_class, std::int64_t k) {
  if (true_class < 0 || true_class >= count) return false;
  std::int64_t larger = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    if (!std::isfinite(row[j])) return false;
    larger += row[j] > row[true_class];
  }
  return larger < k;
}

/// The number of positions where hit(i) holds.
template <class Hit>
double count_hits(std::int64_t positions, Hit hit) {
  std::int64_t hits = 0;
  for (std::int64_t i = 0; i < positions; ++i) hits += hit(i);
  return static_cast<double>(hits);
}

}  // namespace

double binary_accuracy(ConstMatrix predictions, const Targets& targets, double threshold) {
  check_targets("binary_accuracy", predictions, targets, TargetKind::kValues);
  double sum = 0;
  for (std::int64_t i = 0; i < predictions.rows; ++i) {
    std::int64_t hits = 0;
    for (std::int64_t j = 0; j < predictions.columns; ++j) {
      const float label = static_cast<double>(predictions.row(i)[j]) > threshold ? 1.0f : 0.0f;
      hits += label == targets.values.row(i)[j];
    }
    sum += static_cast<double>(hits) / static_cast<double>(predictions.columns);
  }
  return sum;
}

double categorical_accuracy(ConstMatrix predictions, const Targets& targets) {
  check_targets("categorical_accuracy", predictions, targets, TargetKind::kValues);
  return count_hits(predictions.rows, [&](std::int64_t i) {
    return argmax(predictions.row(i), predictions.columns) ==
           argmax(targets.values.row(i), predictions.columns);
  });
}

double sparse_categorical_accuracy(ConstMatrix predictions, const Targets& targets) {
  check_targets("sparse_categorical_accuracy", predictions, targets, TargetKind::kClasses);
  return count_hits(predictions.rows, [&](std::int64_t i) {
    return argmax(predictions.row(i), predictions.columns) ==
           targets.classes[static_cast<std::size_t>(i)];
  });
}

double top_k_categorical_accuracy(ConstMatrix predictions, const Targets& targets, std::int64_t k) {
  check_targets("top_k_categorical_accuracy", predictions, targets, TargetKind::kValues);
  return count_hits(predictions.rows, [&](std::int64_t i) {
    const std::int64_t true_class = argmax(targets.values.row(i), predictions.columns);
    return in_top_k(predictions.row(i), predictions.columns, true_class, k);
  });
}

double sparse_top_k_categorical_accuracy(ConstMatrix predictions, const Targets& targets,
                                         std::int64_t k) {
  check_targets("sparse_top_k_categorical_accuracy", predictions, targets, TargetKind::kClasses);
  return count_hits(predictions.rows, [&](std::int64_t i) {
    const std::int64_t true_class = targets.classes[static_cast<std::size_t>(i)];
    return in_top_k(predictions.row(i), predictions.columns, true_class, k);
  });
}

}  // namespace lockstep
