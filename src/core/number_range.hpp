#pragma once

#include <cmath>
#include <limits>

namespace lockstep {

/// Which numbers a setting may have, as a test and in words.
struct NumberRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  const char* words = "a number";

  /// Never infinite or NaN.
  bool contains(double x) const { return std::isfinite(x) && x >= low && x <= high; }
};

inline constexpr NumberRange kAnyNumber;
/// (A subnormal number may count as 0, see FloatingPointEnvironment.)
inline constexpr NumberRange kPositive{.low = std::numeric_limits<double>::min(),
                                       .words = "a number > 0"};
inline constexpr NumberRange kNotNegative{.low = 0, .words = "a number >= 0"};
/// The largest double below 1 is the last.
inline constexpr NumberRange kFraction{0, 1 - std::numeric_limits<double>::epsilon() / 2,
                                       "a number >= 0 and < 1"};
inline constexpr NumberRange kUpToOne{0, 1, "a number from 0 to 1"};
/// For what is kept in float32.
inline constexpr NumberRange kNotNegativeFloat{0, std::numeric_limits<float>::max(),
                                               "a number from 0 to 3.4e38"};

}  // namespace lockstep
