#include "src/core/exact_sum.hpp"

#include <limits>

namespace lockstep {

void ExactSum::normalize() {
  for (std::size_t i = 0; i + 2 < kWords; ++i) {
    words_[i + 1] += words_[i] >> 32;
    words_[i] &= static_cast<std::int64_t>(kWord);
  }
}

double ExactSum::value() {
  normalize();
  if (words_[kWords - 1] != 0) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  for (std::size_t i = kWords - 1; i-- > 0;)
    value = value * 0x1p32 + static_cast<double>(words_[i]);
  return value * 0x1p-350;
}

}  // namespace lockstep
