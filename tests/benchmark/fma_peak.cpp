// Compiled for this machine.
#include "tests/benchmark/fma_peak.hpp"

namespace {

#if defined(__AVX512F__)
constexpr int kFloats = 16, kChains = 24;
#elif defined(__AVX__)
constexpr int kFloats = 8, kChains = 12;
#else
constexpr int kFloats = 4, kChains = 12;
#endif
typedef float Vector __attribute__((vector_size(kFloats * sizeof(float))));

}  // namespace

double fma_peak(double (*now)()) {
  constexpr int kSteps = 100'000;
  Vector sums[kChains] = {}, a = {}, b = {};
  const double start = now();
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 24
    for (Vector& sum : sums) {
#if defined(__x86_64__) && defined(__FMA__)
      __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(sum) : "v"(a), "v"(b));
#else
      sum += a * b;
      __asm__ volatile("" : "+w"(sum));
#endif
    }
  }
  return 2.0 * kFloats * kChains * kSteps / (now() - start) / 1e9;
}
