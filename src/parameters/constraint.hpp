#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"

namespace lockstep {

/// Keras's constraints: what a weight becomes behind every step of the optimizer. A norm is that of
/// the elements over `axes`, one for each place of the others:
///
///   NonNeg      max(w, 0)
///   MaxNorm     w * (min(norm, max) / (1e-7 + norm))
///   MinMaxNorm  w * ((rate * clip(norm, min, max) + (1 - rate) * norm) / (1e-7 + norm))
///   UnitNorm    w / (1e-7 + norm)
struct Constraint {
  enum class Kind : std::uint8_t { kNone, kNonNeg, kMaxNorm, kMinMaxNorm, kUnitNorm };

  Kind kind = Kind::kNone;
  double min_value = 0;
  double max_value = 1;
  double rate = 1;
  /// Keras's axis, as it was written: -1 is the last; none: all of them.
  std::optional<std::vector<std::int64_t>> axes = std::vector<std::int64_t>{0};
  bool axis_is_list = false;

  bool active() const { return kind != Kind::kNone; }
  bool has_norms() const { return active() && kind != Kind::kNonNeg; }
  /// null, or {"class_name": "MaxNorm", "config": {"max_value": 2.0, "axis": 0}}.
  nlohmann::ordered_json to_json() const;
  /// Throws Error (65), beginning with [where], unless a weight of this shape has the axes.
  void check_axes(const std::string& where, const std::string& weight, const Shape& shape) const;
};

/// From null, a Keras name ("max_norm", Keras 1's "maxnorm"), {"class_name", "config"} or Keras 1's
/// {"name": "MaxNorm", "m": 2}. Throws Error (65) by name otherwise.
Constraint make_constraint(const nlohmann::ordered_json& json);
/// Whether it knows one of that name, whatever its settings.
bool is_known_constraint(const nlohmann::ordered_json& json);

/// Applies a constraint to one weight. Squares are added in double, over ascending places in the
/// row-major weight, whoever does which part.
class ConstraintPass {
 public:
  /// Throws Error (65) as check_axes().
  ConstraintPass(const Constraint& constraint, const Shape& shape);

  /// Part `part` of `parts`, which have no element in common and make up the whole. Parts may be
  /// done at the same time, by passes of their own.
  void apply(std::span<float> weight, int part, int parts);

 private:
  /// Neighbouring axes that are all summed over, or none of them.
  struct Axis {
    std::int64_t extent;
    bool summed;
    std::int64_t stride;               ///< in the weight
    std::int64_t norm_stride;          ///< among the norms
    std::int64_t first = 0, last = 0;  ///< of this part
  };

  void take_part(int part, int parts);
  template <class Run>
  void for_runs(const Run& run);
  float factor_of(double squares) const;

  Constraint constraint_;
  std::vector<Axis> axes_;
  std::vector<std::int64_t> at_;  ///< on each axis, while it goes over them
  std::vector<double> squares_;   ///< by norm
  std::vector<float> factors_;
};

}  // namespace lockstep
