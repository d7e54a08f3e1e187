#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <cstdint>

namespace lockstep {

/// This thread's floating-point control register, as far as kFlushDenormals is concerned.
#if defined(__SSE2__)
constexpr std::uint64_t kFlushDenormals = 0x8040;  // MXCSR: flush to zero, denormals are zero
inline std::uint64_t floating_point_mode() {
  return _mm_getcsr();
}
inline void set_floating_point_mode(std::uint64_t mode) {
  _mm_setcsr(static_cast<unsigned>(mode));
}
#elif defined(__aarch64__)
constexpr std::uint64_t kFlushDenormals = 1u << 24;  // FPCR.FZ
inline std::uint64_t floating_point_mode() {
  std::uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void set_floating_point_mode(std::uint64_t mode) {
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
#else
constexpr std::uint64_t kFlushDenormals = 0;
inline std::uint64_t floating_point_mode() {
  return 0;
}
inline void set_floating_point_mode(std::uint64_t) {}
#endif

/// Sets this thread's floating-point mode while it lives.
class FloatingPointMode {
 public:
  explicit FloatingPointMode(std::uint64_t mode) : saved_(floating_point_mode()) {
    set_floating_point_mode(mode);
  }
  ~FloatingPointMode() { set_floating_point_mode(saved_); }
  FloatingPointMode(const FloatingPointMode&) = delete;
  FloatingPointMode& operator=(const FloatingPointMode&) = delete;

 private:
  std::uint64_t saved_;
};

/// While it lives, this thread takes denormal numbers (below 1.2e-38) as zero, in and out. Decaying
/// moments of Adam and saturated softmaxes are full of them, and each costs a hundred cycles:
/// without this the second epoch of the reference network runs a third slower than the first. The
/// caller's floating-point mode is restored at the end.
class FlushDenormals : FloatingPointMode {
 public:
  FlushDenormals() : FloatingPointMode(floating_point_mode() | kFlushDenormals) {}
};

}  // namespace lockstep
