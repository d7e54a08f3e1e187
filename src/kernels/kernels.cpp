#include "src/kernels/kernels.hpp"

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "src/core/error.hpp"

namespace lockstep {

extern const Kernels kernels_portable;
#ifdef __x86_64__
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

namespace {

struct Candidate {
  const Kernels* table;
  bool supported;
};

/// The best one first.
auto candidates() {
#ifdef __x86_64__
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2");
  return std::to_array<Candidate>(
      {{&kernels_avx512, avx512}, {&kernels_avx2, avx2}, {&kernels_portable, true}});
#else
  return std::to_array<Candidate>({{&kernels_portable, true}});
#endif
}

const Kernels& choose() {
  const char* wanted = std::getenv("LOCKSTEP_KERNELS");
  std::string known;
  for (const Candidate& candidate : candidates()) {
    if (wanted == nullptr ? candidate.supported
                          : candidate.table->name == std::string_view(wanted)) {
      check(candidate.supported, ExitCode::kUsage,
            "[kernels] LOCKSTEP_KERNELS={}: this CPU lacks these instructions", wanted);
      return *candidate.table;
    }
    known += known.empty() ? "" : ", ";
    known += candidate.table->name;
  }
  fail(ExitCode::kUsage, "[kernels] LOCKSTEP_KERNELS: expected one of {}, got '{}'", known, wanted);
}

}  // namespace

const Kernels* find_kernels(std::string_view name) {
  for (const Candidate& candidate : candidates())
    if (candidate.table->name == name) return candidate.supported ? candidate.table : nullptr;
  return nullptr;
}

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace lockstep
