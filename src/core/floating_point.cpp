#include "src/core/floating_point.hpp"

#include <cstring>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace lockstep {

#if defined(__SSE2__)

namespace {

constexpr std::uint32_t kAllTrapsMasked = 0x1F80;  // MXCSR: to nearest, no flag
constexpr std::uint32_t kFlush = 0x8040;           // flush to zero, denormals are zero
constexpr std::uint16_t kX87Standard = 0x037F;     // to nearest, all traps masked, 64 bits
constexpr std::uint16_t kX87Flags = 0x003F;        // of the status word

/// As FNSTENV stores it in protected mode.
struct X87Environment {
  std::uint16_t control, unused_1;
  std::uint16_t status, unused_2;
  std::uint32_t others[5];
};

std::uint16_t x87_control() {
  std::uint16_t word;
  __asm__ volatile("fnstcw %0" : "=m"(word));
  return word;
}

std::uint16_t x87_flags() {
  std::uint16_t word;
  __asm__ volatile("fnstsw %0" : "=m"(word));
  return word & kX87Flags;
}

}  // namespace

FloatingPointState FloatingPointState::of_this_thread() {
  FloatingPointState state;
  state.mxcsr_ = _mm_getcsr();
  state.x87_control_ = x87_control();
  state.x87_flags_ = x87_flags();
  return state;
}

FloatingPointState FloatingPointState::standard(bool flush_denormals) {
  FloatingPointState state;
  state.mxcsr_ = kAllTrapsMasked | (flush_denormals ? kFlush : 0);
  state.x87_control_ = kX87Standard;
  return state;
}

void FloatingPointState::apply() const {
  _mm_setcsr(mxcsr_);
  if (x87_control() == x87_control_ && x87_flags() == x87_flags_) return;
  // Both at once: a flag whose trap is not masked would be delivered in between.
  X87Environment environment;
  __asm__ volatile("fnstenv %0" : "=m"(environment));
  environment.control = x87_control_;
  environment.status = static_cast<std::uint16_t>((environment.status & ~kX87Flags) | x87_flags_);
  __asm__ volatile("fldenv %0" : : "m"(environment));
}

bool FloatingPointState::operator==(const FloatingPointState& other) const {
  return mxcsr_ == other.mxcsr_ && x87_control_ == other.x87_control_ &&
         x87_flags_ == other.x87_flags_;
}

#elif defined(__aarch64__)

FloatingPointState FloatingPointState::of_this_thread() {
  FloatingPointState state;
  __asm__ volatile("mrs %0, fpcr" : "=r"(state.fpcr_));
  __asm__ volatile("mrs %0, fpsr" : "=r"(state.fpsr_));
  return state;
}

FloatingPointState FloatingPointState::standard(bool flush_denormals) {
  FloatingPointState state;
  state.fpcr_ = flush_denormals ? 1u << 24 : 0;  // FZ
  return state;
}

void FloatingPointState::apply() const {
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr_));
  __asm__ volatile("msr fpsr, %0" : : "r"(fpsr_));
}

bool FloatingPointState::operator==(const FloatingPointState& other) const {
  return fpcr_ == other.fpcr_ && fpsr_ == other.fpsr_;
}

#else

FloatingPointState FloatingPointState::of_this_thread() {
  FloatingPointState state;
  std::fegetenv(&state.environment_);
  return state;
}

/// Where nothing is known of denormals, they are kept.
FloatingPointState FloatingPointState::standard(bool) {
  const FloatingPointState callers = of_this_thread();
  std::fesetenv(FE_DFL_ENV);
  const FloatingPointState state = of_this_thread();
  callers.apply();
  return state;
}

void FloatingPointState::apply() const {
  std::fesetenv(&environment_);
}

bool FloatingPointState::operator==(const FloatingPointState& other) const {
  return std::memcmp(&environment_, &other.environment_, sizeof(environment_)) == 0;
}

#endif

}  // namespace lockstep
