#pragma once

#include <cmath>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/core/shape.hpp"
#include "src/kernels/kernels.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// What the layers of normalization have in common: y = xhat * gamma + beta.
struct NormalizationOptions {
  double epsilon = 1e-3;  ///< at least 0
  bool center = true;     ///< there is a beta
  bool scale = true;      ///< there is a gamma
  std::shared_ptr<const Initializer> beta_initializer = make_initializer(std::string("zeros"));
  std::shared_ptr<const Initializer> gamma_initializer = make_initializer(std::string("ones"));
  Regularizer beta_regularizer = {};
  Regularizer gamma_regularizer = {};
  Constraint beta_constraint = {};
  Constraint gamma_constraint = {};
};

/// Adds gamma and beta, those that there are.
void add_scale_and_offset(std::vector<Parameter>& parameters, const NormalizationOptions& options,
                          const Shape& shape);
/// Keras's keys of the options, in Keras's order: epsilon, center, scale, the initializers (`more`
/// behind them), regularizers and constraints.
void write_options(nlohmann::ordered_json& config, const NormalizationOptions& options,
                   const nlohmann::ordered_json& more);

/// The parameters of an op that multiplies by gamma and adds beta, or does without.
class ScaleAndOffset {
 public:
  /// Of the first of some of the layer's parameters. `elements` of each.
  ScaleAndOffset(std::span<Parameter> parameters, bool scale, bool center, std::int64_t elements);

  std::span<Parameter* const> parameters() const { return parameters_; }
  bool is_scale(std::size_t parameter) const { return scale_ != nullptr && parameter == 0; }
  /// Ones and zeros for what there is not.
  const float* scale() const { return scale_ ? scale_->value.data() : ones_.data(); }
  const float* offset() const { return offset_ ? offset_->value.data() : zeros_.data(); }

 private:
  std::vector<Parameter*> parameters_;
  const Parameter* scale_ = nullptr;
  const Parameter* offset_ = nullptr;
  std::vector<float> ones_, zeros_;
};

inline Moments moments_of(double mean, double variance, double epsilon) {
  const auto rounded = static_cast<float>(mean);
  return {rounded, static_cast<float>(mean - static_cast<double>(rounded)),
          static_cast<float>(1 / std::sqrt(variance + epsilon))};
}

/// How moments are kept for backward.
inline constexpr std::int64_t kMomentFloats = 3;
inline Moments read_moments(const float* kept) {
  return {kept[0], kept[1], kept[2]};
}
inline void write_moments(const Moments& moments, float* kept) {
  kept[0] = moments.mean;
  kept[1] = moments.rest;
  kept[2] = moments.inverse;
}

/// Of `count` numbers. In doubles the difference of the squares loses little: with a mean of 1e4
/// and a deviation of 1e-2, the variance of 1e-4 is known to 1e-8. A NaN stays one.
inline double variance_of(double sum, double squares, double count) {
  const double mean = sum / count;
  const double variance = squares / count - mean * mean;
  return variance < 0 ? 0 : variance;
}

/// Whose moments: axes as Keras writes them, of which 0 is the batch and -1 the last. Throws Error
/// (65) unless they are the last axes of the input; returns how many these are.
std::size_t last_axes(const std::string& layer, std::vector<std::int64_t> axes, const Shape& input);

/// A few columns at a time, with numbers of each in arrays: kColumns at most.
inline constexpr std::int64_t kColumns = 64;
struct ColumnArrays {
  float mean[kColumns], rest[kColumns], inverse[kColumns];

  void set(std::int64_t column, const Moments& moments) {
    mean[column] = moments.mean;
    rest[column] = moments.rest;
    inverse[column] = moments.inverse;
  }
  ColumnMoments with_scale(const float* scale) const { return {mean, rest, inverse, scale}; }
};

}  // namespace lockstep
