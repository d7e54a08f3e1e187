#pragma once

#include <cstdint>

namespace lockstep {

/// base^exponent by squaring: the same bits on every CPU, unlike std::pow. exponent >= 0.
inline double power(double base, std::int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

}  // namespace lockstep
