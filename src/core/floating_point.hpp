#pragma once

#include <cfenv>
#include <cstdint>

namespace lockstep {

/// A thread's floating-point registers: rounding, traps, what becomes of denormals, sticky flags.
class FloatingPointState {
 public:
  static FloatingPointState of_this_thread();
  /// Round to nearest, no traps, no flag raised; denormals (below 1.2e-38) as zero or as they are.
  static FloatingPointState standard(bool flush_denormals);
  /// Gives it to this thread. A few nanoseconds, unless the x87 registers change.
  void apply() const;

  bool operator==(const FloatingPointState& other) const;

 private:
#if defined(__SSE2__)
  std::uint32_t mxcsr_ = 0;
  std::uint16_t x87_control_ = 0;
  std::uint16_t x87_flags_ = 0;
#elif defined(__aarch64__)
  std::uint64_t fpcr_ = 0;
  std::uint64_t fpsr_ = 0;
#else
  std::fenv_t environment_;
#endif
};

enum class Denormals { kFlush, kKeep };

/// While it lives, this thread computes in an environment that is the same everywhere, whatever a
/// program has set: rounding to nearest, no traps. At the end the caller's is restored whole, with
/// the flags that it had: what was raised meanwhile is not told.
///
/// kFlush, for everything that computes with networks: decaying moments of Adam and saturated
/// softmaxes are full of denormals, and each costs a hundred cycles: without it the second epoch of
/// the reference network runs a third slower than the first. kKeep, for reading and writing
/// numbers.
class FloatingPointEnvironment {
 public:
  explicit FloatingPointEnvironment(Denormals denormals = Denormals::kFlush)
      : FloatingPointEnvironment(FloatingPointState::standard(denormals == Denormals::kFlush)) {}
  explicit FloatingPointEnvironment(const FloatingPointState& wanted)
      : saved_(FloatingPointState::of_this_thread()) {
    wanted.apply();
  }
  ~FloatingPointEnvironment() { saved_.apply(); }
  FloatingPointEnvironment(const FloatingPointEnvironment&) = delete;
  FloatingPointEnvironment& operator=(const FloatingPointEnvironment&) = delete;

 private:
  FloatingPointState saved_;
};

}  // namespace lockstep
