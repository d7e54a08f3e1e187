#pragma once

#include <cstdint>

/// The elementary functions of layers, losses, initializers and schedules. Unlike libm's they give
/// the same bits on every CPU, scalar or vectorised: IEEE +, -, *, / and operations on the bits, in
/// one order, without fma and without branches. (The library is compiled with -ffp-contract=off.)
/// Internal linkage, so that files for one instruction set share no copy with the others.
///
/// Special values are libm's; results in the denormal range follow the thread's floating-point
/// mode.
namespace lockstep::elementary {

namespace detail {

// To t = x + kShift for |x| < 2^51: t - kShift is x rounded to an integer n, and the low bits of t
// hold n in two's complement.
constexpr double kShift = 0x1.8p52;
constexpr double kInfinity = __builtin_inf();
// ln 2 in two parts; multiples of the first one by |n| < 2^20 are exact (Cody & Waite, 1980).
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kLn2 = kLn2High + kLn2Low;
constexpr double kLog2E = 0x1.71547652b82fep+0;

static inline std::uint64_t bits(double x) {
  return __builtin_bit_cast(std::uint64_t, x);
}
static inline double from_bits(std::uint64_t x) {
  return __builtin_bit_cast(double, x);
}

/// 2^n, -1022 <= n <= 1023, for n in the low bits.
static inline double power_of_two(std::uint64_t n) {
  return from_bits((n + 1023) << 52);
}

/// |x| with the sign of `sign`.
static inline double with_sign(double x, double sign) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  return from_bits((bits(x) & ~kSign) | (bits(sign) & kSign));
}

/// e^x = scale (1 + rest).
struct Exponential {
  double scale;
  double rest;
};

static inline double value(Exponential e) {
  return e.scale + e.scale * e.rest;
}
/// e^x - 1
static inline double difference(Exponential e) {
  return e.scale * e.rest + (e.scale - 1);
}

/// For results in float. x is cut off at -110 and 110, where e^x is 0 and infinity in float.
static inline Exponential exponential(float x) {
  x = x < -110 ? -110 : x;
  x = x > 110 ? 110 : x;
  constexpr double kBiased = kShift + 1023;  // leaves the exponent of 2^n in the low bits
  const double y = static_cast<double>(x) * kLog2E;
  const double shifted = y + kBiased;
  const double r = y - (shifted - kBiased);  // in [-1/2, 1/2]
  // The minimax approximation of (2^r - 1) / r, by Remez' exchange; relative error 2.3e-10.
  double p = 0x1.ffcbe0eb69f39p-17;
  p = p * r + 0x1.443f61fb94a28p-13;
  p = p * r + 0x1.5d88bdaecae0dp-10;
  p = p * r + 0x1.3b2a1c366e7cap-7;
  p = p * r + 0x1.c6b08cb169bd1p-5;
  p = p * r + 0x1.ebfbe0453006bp-3;
  p = p * r + 0x1.62e42fefd32bap-1;
  return {from_bits(bits(shifted) << 52), p * r};
}

/// For positive, finite, normal x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2):
/// log(1 + f) = 2 atanh(s), s = f / (2 + f), by its series, arranged as in fdlibm's e_log.c (Sun
/// Microsystems, 1993): f - f^2/2 + s (f^2/2 + R).
static inline double log_normal(double x) {
  constexpr std::uint64_t kOne = 0x3ff0000000000000;
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const std::uint64_t u = bits(x) + (kOne - kSqrtHalf);
  const double k = from_bits(bits(0x1p52) | (u >> 52)) - (0x1p52 + 1023);
  const double f = from_bits((u & 0x000fffffffffffff) + kSqrtHalf) - 1;
  const double s = f / (2 + f);
  const double z = s * s;
  double p = 2.0 / 21;
  p = p * z + 2.0 / 19;
  p = p * z + 2.0 / 17;
  p = p * z + 2.0 / 15;
  p = p * z + 2.0 / 13;
  p = p * z + 2.0 / 11;
  p = p * z + 2.0 / 9;
  p = p * z + 2.0 / 7;
  p = p * z + 2.0 / 5;
  p = p * z + 2.0 / 3;
  const double half_square = 0.5 * f * f;
  return k * kLn2High - ((half_square - (s * (half_square + p * z) + k * kLn2Low)) - f);
}

}  // namespace detail

// --- Double: errors of at most 2 ulp ---

/// Taylor's series on [-ln 2 / 2, ln 2 / 2] after the reduction of Cody & Waite.
static inline double exp(double x) {
  using namespace detail;
  x = x < -760 ? -760 : x;
  x = x > 720 ? 720 : x;
  const double shifted = x * kLog2E + kShift;
  const double n = shifted - kShift;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  // 2^n in two steps, since n is -1097 to 1039.
  const double half_shifted = n * 0.5 + kShift;
  const double rest = n - (half_shifted - kShift);
  return (1 + (r + r * r * p)) * power_of_two(bits(half_shifted)) *
         power_of_two(bits(rest + kShift));
}

static inline double log(double x) {
  using namespace detail;
  const bool denormal = x < 0x1p-1022;
  const double finite = log_normal(denormal ? x * 0x1p54 : x) - (denormal ? 54 * kLn2 : 0);
  const double positive = x < kInfinity ? finite : x;
  const double other = x == 0 ? -kInfinity : __builtin_nan("");
  return x > 0 ? positive : other;
}

/// log(1 + x), with what 1 + x loses to rounding added.
static inline double log1p(double x) {
  const double u = 1 + x;
  const double of_small = x - (u - 1);
  const double of_large = 1 - (u - x);
  const double lost = (x > 1 ? of_large : of_small) / u;
  const double sum = log(u) + lost;
  const double finite = u < detail::kInfinity ? sum : u;
  const double result = x == -1 ? -detail::kInfinity : finite;
  return x == 0 ? x : result;
}

/// |x| <= 2^20 (beyond, the reduction by multiples of pi/2 loses digits). Taylor's series.
static inline double cos(double x) {
  using namespace detail;
  // pi/2 in three parts, the first two of 33 bits.
  constexpr double kHalfPi1 = 0x1.921fb544p+0;
  constexpr double kHalfPi2 = 0x1.0b4611a6p-34;
  constexpr double kHalfPi3 = 0x1.3198a2e037073p-69;
  const double shifted = x * 0x1.45f306dc9c883p-1 + kShift;  // 2/pi
  const double n = shifted - kShift;
  const double r = ((x - n * kHalfPi1) - n * kHalfPi2) - n * kHalfPi3;  // |r| <= pi/4
  const double z = r * r;
  double c = 1.0 / 20922789888000;
  c = c * z - 1.0 / 87178291200;
  c = c * z + 1.0 / 479001600;
  c = c * z - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  const double w = 1 - 0.5 * z;
  const double cosine = w + (((1 - w) - 0.5 * z) + z * z * c);
  double s = 1.0 / 355687428096000;
  s = s * z - 1.0 / 1307674368000;
  s = s * z + 1.0 / 6227020800;
  s = s * z - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  const double sine = r + r * (z * s);
  const std::uint64_t quadrant = bits(shifted);
  const double size = (quadrant & 1) != 0 ? sine : cosine;
  return ((quadrant + 1) & 2) != 0 ? -size : size;
}

// --- Float: computed in double and rounded once, errors below 0.51 ulp ---

static inline float exp(float x) {
  return static_cast<float>(value(detail::exponential(x)));
}

static inline float log(float x) {
  return static_cast<float>(log(static_cast<double>(x)));
}

static inline float log1p(float x) {
  return static_cast<float>(log1p(static_cast<double>(x)));
}

static inline float expm1(float x) {
  const auto result = static_cast<float>(difference(detail::exponential(x)));
  return x == 0 ? x : result;  // -0 stays
}

/// (e^2|x| - 1) / (e^2|x| + 1) with the sign of x.
static inline float tanh(float x) {
  const double d = difference(detail::exponential(2 * __builtin_fabsf(x)));
  return static_cast<float>(detail::with_sign(d / (d + 2), static_cast<double>(x)));
}

/// 1 / (1 + e^-x)
static inline float sigmoid(float x) {
  return static_cast<float>(1 / (1 + value(detail::exponential(-x))));
}

/// max(x, 0) + log(1 + e^-|x|), with what 1 + e^-|x| loses to rounding added.
static inline float softplus(float x) {
  const double e = value(detail::exponential(-__builtin_fabsf(x)));
  const double u = 1 + e;
  const double tail = detail::log_normal(u) + (e - (u - 1));
  return static_cast<float>(static_cast<double>(x > 0 ? x : 0.0f) + tail);
}

/// x P(x^2) / Q(x^2) on [-4, 4], beyond which erf is -1 or 1 in float. P and Q, both of degree 7,
/// are the minimax approximation of erf(x) / x, by Remez' exchange with 60 digits; relative
/// error 8.4e-12.
static inline float erf(float x) {
  auto y = static_cast<double>(x);
  y = y < -4 ? -4 : y;
  y = y > 4 ? 4 : y;
  const double z = y * y;
  double p = 0x1.9cf7b186cb92cp-29;
  p = p * z + 0x1.9426f36bc78b3p-21;
  p = p * z + 0x1.6d8a55000853ep-16;
  p = p * z + 0x1.0cfc3f79aa28fp-11;
  p = p * z + 0x1.4534fde5066edp-8;
  p = p * z + 0x1.dc1bdb5660c8cp-5;
  p = p * z + 0x1.9a4eeef3931dcp-3;
  p = p * z + 0x1.20dd75041f678p+0;
  double q = 0x1.3ad0c41c41579p-24;
  q = q * z + 0x1.2f47645b121a6p-18;
  q = q * z + 0x1.d3bd40a4f3dbep-14;
  q = q * z + 0x1.c1a45cbde3a70p-10;
  q = q * z + 0x1.224f9bb788b56p-6;
  q = q * z + 0x1.f2e61d0736a24p-4;
  q = q * z + 0x1.0592bfd6169a7p-1;
  q = q * z + 1;
  return static_cast<float>(y * p / q);
}

}  // namespace lockstep::elementary
