#include "distributed/training/finite_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

bool not_finite(double value) {
  return !std::isfinite(value);
}

}  // namespace

std::string describe_not_finite(const Network& model) {
  std::int64_t count = 0;
  std::string first;
  for (const auto& layer : model.layers()) {
    for (const Parameter& parameter : layer->parameters()) {
      const auto bad = std::ranges::count_if(parameter.value, not_finite);
      if (bad > 0 && count == 0) first = layer->name() + "/" + parameter.path();
      count += bad;
    }
  }
  if (count == 0) return "";
  return fmt::format("{} of {} weights are NaN or Inf, the first one in {}", count,
                     model.parameter_count(), first);
}

std::string describe_not_finite(const Evaluation& evaluation) {
  if (not_finite(evaluation.loss)) return fmt::format("loss is {}", evaluation.loss);
  for (const auto& [name, value] : evaluation.metrics)
    if (not_finite(value)) return fmt::format("{} is {}", name, value);
  return "";
}

void FinitePredictions::add(std::int64_t first_row, ConstMatrix rows) {
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    if (std::ranges::none_of(rows.rows_from(i, 1).flat(), not_finite)) continue;
    if (bad_rows_++ == 0) first_ = first_row + i;
  }
  rows_ += rows.rows;
}

std::string FinitePredictions::describe() const {
  if (bad_rows_ == 0) return "";
  return fmt::format("{} of {} rows of predictions hold NaN or Inf, the first one is row {}",
                     bad_rows_, rows_, first_);
}

}  // namespace lockstep
