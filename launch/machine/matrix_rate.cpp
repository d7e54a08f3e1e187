#include "launch/machine/matrix_rate.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "launch/machine/blas_correction.hpp"
#include "src/core/float_buffer.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

double matrix_rate(Numerics numerics, std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr double kSeconds = 0.25;
  constexpr double kTrialSeconds = 0.01;
  FloatBuffer a(m * k);
  FloatBuffer b(k * n);
  FloatBuffer c(m * n);
  std::ranges::fill(a.span(), 1.0f);
  std::ranges::fill(b.span(), 0.5f);
  const double operations =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  double best = 0;
  for (const auto begin = Clock::now(); best == 0 || seconds_since(begin) < kSeconds;) {
    const auto start = Clock::now();
    int products = 0;
    double seconds = 0;
    for (; seconds < kTrialSeconds; ++products, seconds = seconds_since(start))
      multiply(numerics, {a.span().data(), m, k}, {b.span().data(), k, n}, {c.span().data(), m, n});
    best = std::max(best, operations * products / seconds / 1e9);
  }
  return best;
}

double measured_clock() {
#ifdef __x86_64__
  constexpr int kTrials = 10;
  constexpr std::int64_t kRounds = 100'000;
  constexpr int kAdditions = 32;  // a round
  double best = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::int64_t sum = 0;
    std::int64_t rounds = kRounds;
    const auto start = Clock::now();
    // Additions of a register: those of a constant are folded by some CPUs.
    asm volatile(
        "1:\n\t"
        ".rept %c3\n\t"
        "add %2, %0\n\t"
        ".endr\n\t"
        "dec %1\n\t"
        "jnz 1b"
        : "+r"(sum), "+r"(rounds)
        : "r"(std::int64_t{3}), "i"(kAdditions)
        : "cc");
    best = std::max(best, static_cast<double>(kRounds * kAdditions) / seconds_since(start) / 1e9);
  }
  return best;
#else
  return 0;
#endif
}

double operations_per_cycle(std::string_view blas_kernel) {
  // Two units of 16, 8 or 4 lanes; a fused multiply-add counts twice, SSE has none.
  constexpr double kAvx512 = 64;
  constexpr double kAvx2 = 32;
  constexpr double kAvx = 16;
  constexpr double kSse = 8;
  const CpuAbilities cpu = cpu_abilities();
  if (blas_kernel.empty()) return cpu.avx512 ? kAvx512 : cpu.avx2_fma ? kAvx2 : kSse;
  const auto is_one_of = [blas_kernel](auto... names) { return ((blas_kernel == names) || ...); };
  if (is_one_of("SkylakeX", "Cooperlake", "SapphireRapids")) return kAvx512;
  if (is_one_of("Haswell", "Zen")) return kAvx2;
  return is_one_of("Sandybridge", "Bulldozer", "Piledriver", "Steamroller", "Excavator") ? kAvx
                                                                                         : kSse;
}

}  // namespace lockstep
