#pragma once

#include <cfenv>
#include <string>
#include <vector>

#include "src/core/floating_point.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

/// What a program may have made of its floating-point environment before it calls the library.
namespace lockstep::test {

/// An environment other than the default one, while it lives. No flag is raised in it but by
/// `make`: where all are, nobody sees one more.
class ForeignEnvironment {
 public:
  explicit ForeignEnvironment(void (*make)()) : saved_(FloatingPointState::of_this_thread()) {
    std::feclearexcept(FE_ALL_EXCEPT);
    make();
  }
  ~ForeignEnvironment() { saved_.apply(); }
  ForeignEnvironment(const ForeignEnvironment&) = delete;
  ForeignEnvironment& operator=(const ForeignEnvironment&) = delete;

 private:
  FloatingPointState saved_;
};

struct NamedEnvironment {
  std::string name;
  void (*make)();
};

inline const std::vector<NamedEnvironment>& foreign_environments() {
  static const std::vector<NamedEnvironment> all = {
    {"upward", [] { std::fesetround(FE_UPWARD); }},
    {"downward", [] { std::fesetround(FE_DOWNWARD); }},
    {"toward zero", [] { std::fesetround(FE_TOWARDZERO); }},
#if defined(__SSE2__)
    {"denormals flushed", [] { _mm_setcsr(_mm_getcsr() | 0x8040); }},
    {"denormals are zero", [] { _mm_setcsr(_mm_getcsr() | 0x0040); }},
#endif
#if defined(__GLIBC__)
    {"traps", [] { feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW); }},
    {"all traps", [] { feenableexcept(FE_ALL_EXCEPT); }},
    {"traps, rounded upward",
     [] {
       std::fesetround(FE_UPWARD);
       feenableexcept(FE_INVALID | FE_UNDERFLOW);
     }},
#endif
    {"flags raised", [] { std::feraiseexcept(FE_INEXACT | FE_UNDERFLOW); }},
  };
  return all;
}

}  // namespace lockstep::test
