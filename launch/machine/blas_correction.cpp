#include "launch/machine/blas_correction.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

/// Holds the kernel that was found first; its presence keeps the program from starting over again.
constexpr const char* kGuard = "LOCKSTEP_BLAS_CORRECTED";
constexpr const char* kCoreType = "OPENBLAS_CORETYPE";
constexpr const char* kNumThreads = "OPENBLAS_NUM_THREADS";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int running_threads() {
  std::error_code ignored;
  const std::filesystem::directory_iterator tasks("/proc/self/task", ignored);
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

BlasStart blas_start(int argc, const char* const* argv) {
  return {.kernel = blas_kernel(),
          .has_helpers = running_threads() > 1,
          .user_chose_kernel = !environment(kCoreType).empty(),
          .user_chose_threads = !environment(kNumThreads).empty(),
          .corrected_before = std::getenv(kGuard) != nullptr,
          .threads = threads_asked(argc, argv)};
}

}  // namespace

CpuAbilities cpu_abilities() {
  CpuAbilities cpu;
#ifdef __x86_64__
  cpu.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  cpu.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
  cpu.amd = __builtin_cpu_is("amd");
#endif
  return cpu;
}

std::string best_core_type(const CpuAbilities& cpu) {
  if (!cpu.avx2_fma) return "";
  if (cpu.avx512) return "SKYLAKEX";
  return cpu.amd ? "ZEN" : "HASWELL";
}

bool is_crippled(std::string_view kernel, const CpuAbilities& cpu) {
  // The x86 kernels of OpenBLAS's DYNAMIC_ARCH builds that make no use of AVX2, and the name of a
  // build for one unknown CPU.
  static constexpr auto kOld = std::to_array<std::string_view>(
      {"Katmai",       "Coppermine", "Northwood",   "Prescott",  "Banias", "Atom",
       "Core2",        "Penryn",     "Dunnington",  "Nehalem",   "Athlon", "Opteron",
       "Opteron_SSE3", "Barcelona",  "Bobcat",      "Bulldozer", "Nano",   "Piledriver",
       "Steamroller",  "Excavator",  "Sandybridge", "Generic",   "Unknown"});
  const auto same = [kernel](std::string_view old) {
    return std::equal(kernel.begin(), kernel.end(), old.begin(), old.end(),
                      [](char a, char b) { return (a | 0x20) == (b | 0x20); });
  };
  return cpu.avx2_fma && std::any_of(kOld.begin(), kOld.end(), same);
}

BlasCorrection plan_blas_correction(const BlasStart& start, const CpuAbilities& cpu) {
  BlasCorrection plan;
  if (start.kernel.empty() || start.corrected_before) return plan;
  if (is_crippled(start.kernel, cpu) && !start.user_chose_kernel)
    plan.core_type = best_core_type(cpu);
  if (start.has_helpers && start.threads <= 1 && !start.user_chose_threads) plan.num_threads = "1";
  return plan;
}

int threads_asked(int argc, const char* const* argv) {
  constexpr std::string_view kOption = "--threads";
  int threads = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view text = argv[i];
    if (text == kOption && i + 1 < argc) {
      text = argv[++i];
    } else if (text.starts_with(kOption) && text.substr(kOption.size()).starts_with('=')) {
      text.remove_prefix(kOption.size() + 1);
    } else {
      continue;
    }
    int value = 1;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc())
      threads = value;
  }
  return threads;
}

void correct_blas_kernel(int argc, char** argv) {
  const BlasStart start = blas_start(argc, argv);
  // An image that was executed through /proc/self/exe is called "exe" in ps and top.
  if (start.corrected_before) ::prctl(PR_SET_NAME, program_invocation_short_name);
  const BlasCorrection plan = plan_blas_correction(start, cpu_abilities());
  if (!plan.needed()) return;
  ::setenv(kGuard, start.kernel.c_str(), 1);
  if (plan.core_type) ::setenv(kCoreType, plan.core_type->c_str(), 1);
  if (plan.num_threads) ::setenv(kNumThreads, plan.num_threads->c_str(), 1);
  ::execv("/proc/self/exe", argv);
  // Not possible here (no /proc): go on with what there is.
  ::unsetenv(kGuard);
  if (plan.core_type) ::unsetenv(kCoreType);
  if (plan.num_threads) ::unsetenv(kNumThreads);
}

BlasReport blas_report() {
  const CpuAbilities cpu = cpu_abilities();
  BlasReport report;
  report.kernel = blas_kernel();
  report.best = best_core_type(cpu);
  report.found_first = environment(kGuard);
  report.crippled = is_crippled(report.kernel, cpu);
  report.user_chose_kernel = !environment(kCoreType).empty() && !report.kernel_corrected();
  return report;
}

std::string blas_warning(const BlasReport& report) {
  if (!report.crippled) return "";
  if (report.user_chose_kernel) {
    return fmt::format(
        "OPENBLAS_CORETYPE={} makes OpenBLAS use its {} kernel, several times slower than this CPU "
        "can: unset OPENBLAS_CORETYPE, or set it to {}",
        environment(kCoreType), report.kernel, report.best);
  }
  return fmt::format(
      "OpenBLAS uses its {} kernel, several times slower than this CPU can: export "
      "OPENBLAS_CORETYPE={}, or install a newer OpenBLAS",
      report.kernel, report.best);
}

}  // namespace lockstep
