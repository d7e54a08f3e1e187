#include "src/metrics/scores.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

constexpr double kEpsilon = 1e-7;
/// What a difference of sums of squares may be for equal numbers, of the sums.
constexpr double kRounding = 1e-12;
constexpr std::size_t kPerClass = 4;
constexpr std::size_t kPerColumn = 3;

double f_score(const double* sums, double beta) {
  const double precision = sums[0] / (sums[0] + sums[1] + kEpsilon);
  const double recall = sums[0] / (sums[0] + sums[2] + kEpsilon);
  const double square = beta * beta;
  return precision * recall / (square * precision + recall + kEpsilon) * (1 + square);
}

}  // namespace

std::size_t FScore::sums(std::int64_t columns) const {
  return kPerClass * (average == Average::kMicro ? 1 : static_cast<std::size_t>(columns));
}

void FScore::add(ConstMatrix predictions, const Targets& targets, std::span<double> sums) const {
  for (std::int64_t i = 0; i < predictions.rows; ++i) {
    const float* p = predictions.row(i);
    const float largest = *std::max_element(p, p + predictions.columns);
    for (std::int64_t j = 0; j < predictions.columns; ++j) {
      const bool is_yes = threshold ? p[j] > static_cast<float>(*threshold)
                                    : p[j] >= largest && std::abs(p[j]) > 1e-9f;
      const double yes = is_yes ? 1 : 0;
      const auto t = static_cast<double>(targets.values.row(i)[j]);
      double* const of_class =
          sums.data() + (average == Average::kMicro ? 0 : kPerClass * static_cast<std::size_t>(j));
      of_class[0] += yes * t;
      of_class[1] += yes * (1 - t);
      of_class[2] += (1 - yes) * t;
      of_class[3] += t;
    }
  }
}

double FScore::result(std::span<const double> sums) const {
  const std::size_t classes = sums.size() / kPerClass;
  double all = 0;
  for (std::size_t c = 0; c < classes; ++c) all += sums[kPerClass * c + 3];
  double score = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    const double weight = average == Average::kWeighted ? sums[kPerClass * c + 3] / (all + kEpsilon)
                                                        : 1 / static_cast<double>(classes);
    score += weight * f_score(&sums[kPerClass * c], beta);
  }
  return score;
}

void R2Score::add(ConstMatrix predictions, const Targets& targets, std::span<double> sums) const {
  for (std::int64_t i = 0; i < predictions.rows; ++i) {
    double* of_column = sums.data();
    for (std::int64_t j = 0; j < predictions.columns; ++j, of_column += kPerColumn) {
      const auto t = static_cast<double>(targets.values.row(i)[j]);
      const double d = t - static_cast<double>(predictions.row(i)[j]);
      of_column[0] += t;
      of_column[1] += t * t;
      of_column[2] += d * d;
    }
  }
}

double R2Score::result(std::span<const double> sums, double positions) const {
  const std::size_t columns = sums.size() / kPerColumn;
  double mean = 0;
  double weighted = 0;
  double weights = 0;
  for (std::size_t j = 0; j < columns; ++j) {
    const double* const of_column = &sums[kPerColumn * j];
    const double difference = of_column[1] - of_column[0] * (of_column[0] / positions);
    const double spread = difference > kRounding * of_column[1] ? difference : 0;
    const double of_constant = of_column[2] == 0 ? 1 : 0;
    const double score = spread > 0 ? 1 - of_column[2] / spread : of_constant;
    mean += score / static_cast<double>(columns);
    weighted += spread * score;
    weights += spread;
  }
  const double score = weighted_by_variance && weights > 0 ? weighted / weights : mean;
  const double samples = positions * static_cast<double>(columns);  // as Keras counts them
  const auto count = static_cast<double>(regressors);
  if (regressors == 0 || count >= samples - 1) return score;
  return 1 - (1 - score) * (samples - 1) / (samples - count - 1);
}

}  // namespace lockstep
