#include "src/core/numerics.hpp"

namespace lockstep {

bool cpu_has_fma() {
#ifdef __x86_64__
  return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2") &&
         __builtin_cpu_supports("bmi2");
#else
  return true;
#endif
}

}  // namespace lockstep
