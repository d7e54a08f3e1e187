#pragma once

#include <cfenv>
#include <cstdint>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "tests/random/draw.hpp"

namespace lockstep::test {

/// While it lives, the floating-point environment of a program that calls the library: a rounding
/// mode, traps as simulation codes set them, denormals flushed or not; another on each rank.
class Environment {
 public:
  /// `number` 0: the usual one.
  Environment(std::uint64_t number, int rank) {
    std::fegetenv(&before_);
    if (number != 0) set(Draw(number, static_cast<std::uint32_t>(rank)));
    rounding_ = std::fegetround();
    traps_ = ::fegetexcept();
    denormals_ = flushed();
  }
  ~Environment() { std::fesetenv(&before_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  bool is_intact() const {
    return std::fegetround() == rounding_ && ::fegetexcept() == traps_ && flushed() == denormals_;
  }

 private:
  static void set(Draw draw) {
    std::fesetround(draw.pick({FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}));
    if (draw.chance(0.4)) flush();
    std::feclearexcept(FE_ALL_EXCEPT);
    if (draw.chance(0.4)) ::feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
    if (draw.chance(0.2)) ::feenableexcept(FE_UNDERFLOW);
  }
#if defined(__SSE2__)
  static constexpr unsigned kFlush = 0x8040;  // flush to zero, denormals are zero
  static void flush() {
    _mm_setcsr(_mm_getcsr() | kFlush);
  }
  static unsigned flushed() {
    return _mm_getcsr() & kFlush;
  }
#else
  static void flush() {}
  static unsigned flushed() {
    return 0;
  }
#endif

  std::fenv_t before_;
  int rounding_ = 0;
  int traps_ = 0;
  unsigned denormals_ = 0;
};

}  // namespace lockstep::test
