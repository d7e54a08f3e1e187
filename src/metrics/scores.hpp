#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

enum class Average { kMicro, kMacro, kWeighted };

/// Keras's FBetaScore. Sums: of each class tp, fp, fn and the targets; or of all together (micro).
struct FScore {
  Average average = Average::kMacro;
  double beta = 1;
  /// p > threshold says yes; without one, the largest of a position, unless it is as good as 0.
  std::optional<double> threshold = {};

  std::size_t sums(std::int64_t columns) const;
  void add(ConstMatrix predictions, const Targets& targets, std::span<double> sums) const;
  double result(std::span<const double> sums) const;
};

/// Keras's R2Score: 1 - residuals / spread of the targets, by column; of targets that are all the
/// same, where Keras has NaN, 1 if they are met and 0 if not. Sums: of each column the
/// targets, their squares, and the squared errors.
struct R2Score {
  bool weighted_by_variance = false;  ///< else columns count equally
  std::int64_t regressors = 0;        ///< adjusts for so many of them

  std::size_t sums(std::int64_t columns) const { return 3 * static_cast<std::size_t>(columns); }
  void add(ConstMatrix predictions, const Targets& targets, std::span<double> sums) const;
  double result(std::span<const double> sums, double positions) const;
};

}  // namespace lockstep
