#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

/// A sum of squares of floats without any rounding: a fixed-point number of 640 bits (Kulisch's
/// accumulator). So it does not depend on the order of its terms, nor on who adds which of them.
class ExactSum {
 public:
  static constexpr std::size_t kWords = 21;

  /// Of all words together, by which sums over ranks are made, too: of up to 2^31 of them, each
  /// after normalize().
  std::span<std::int64_t, kWords> words() { return words_; }

  void add_square(float x) {
    const double square = static_cast<double>(x) * static_cast<double>(x);  // exact
    const auto bits = __builtin_bit_cast(std::uint64_t, square);
    const auto exponent = static_cast<std::int64_t>(bits >> 52);
    if (exponent >= kNotFinite) {
      ++words_[kWords - 1];
      return;
    }
    if (exponent == 0) return;  // 0: other squares are far from denormal
    const std::uint64_t mantissa = (bits & 0x000fffffffffffff) | 0x0010000000000000;
    const std::int64_t place = exponent - 1075 - kLowest;  // of the mantissa's last bit
    const auto word = static_cast<std::size_t>(place / 32);
    const std::int64_t shift = place % 32;
    const std::uint64_t low = (mantissa & kWord) << shift;
    const std::uint64_t high = (mantissa >> 32) << shift;
    words_[word] += static_cast<std::int64_t>(low & kWord);
    words_[word + 1] += static_cast<std::int64_t>((low >> 32) + (high & kWord));
    words_[word + 2] += static_cast<std::int64_t>(high >> 32);
  }
  /// At most kTogether of them before the next normalize().
  static constexpr std::int64_t kTogether = std::int64_t{1} << 28;

  /// Carries, so that each word but the last digit holds 32 bits.
  void normalize();
  /// Rounded; NaN if a term was not finite.
  double value();

 private:
  static constexpr std::int64_t kLowest = -350;  ///< the exponent of the first bit
  static constexpr std::uint64_t kWord = 0xffffffff;
  static constexpr std::int64_t kNotFinite = 0x7ff;

  std::array<std::int64_t, kWords> words_{};  ///< digits of 32 bits; last, terms not finite
};

}  // namespace lockstep
