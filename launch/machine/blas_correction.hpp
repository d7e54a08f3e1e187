#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// What decides which of OpenBLAS's kernels suits a CPU.
struct CpuAbilities {
  bool avx2_fma = false;
  bool avx512 = false;  ///< with its BW, CD, DQ and VL parts, as SkylakeX
  bool amd = false;
};
CpuAbilities cpu_abilities();

/// The OPENBLAS_CORETYPE for this CPU: SKYLAKEX, ZEN or HASWELL; empty for CPUs without AVX2, on
/// which OpenBLAS's own choice is as good.
std::string best_core_type(const CpuAbilities& cpu);
/// Whether OpenBLAS's `kernel` leaves the CPU's AVX2 unused, which costs a factor of three and
/// more. OpenBLAS before 0.3.26 does so, without a word, on every CPU that is newer than itself.
bool is_crippled(std::string_view kernel, const CpuAbilities& cpu);

/// How the process stands when main() begins.
struct BlasStart {
  std::string kernel;        ///< OpenBLAS's name for it; empty: another BLAS
  bool has_helpers = false;  ///< OpenBLAS has started a pool of threads
  bool user_chose_kernel = false;
  bool user_chose_threads = false;
  bool corrected_before = false;  ///< this is the corrected image
  int threads = 1;                ///< asked for by --threads
};

/// The environment of the corrected image; nothing to set: no correction.
struct BlasCorrection {
  std::optional<std::string> core_type;    ///< OPENBLAS_CORETYPE
  std::optional<std::string> num_threads;  ///< OPENBLAS_NUM_THREADS
  bool needed() const { return core_type || num_threads; }
};
BlasCorrection plan_blas_correction(const BlasStart& start, const CpuAbilities& cpu);

/// The number behind the last `--threads` of a command line; 1 without one. A command line that
/// makes no sense is left to the option parser.
int threads_asked(int argc, const char* const* argv);

/// OpenBLAS chooses its kernel and starts its threads when it is loaded, before main(). If it chose
/// badly this executes the program again, once, with OPENBLAS_CORETYPE set, and with
/// OPENBLAS_NUM_THREADS=1 so that no helper thread spins beside a rank. What the user set stays.
/// To be called before MPI starts; it returns if there is nothing to correct, or if it cannot be.
void correct_blas_kernel(int argc, char** argv);

struct BlasReport {
  std::string kernel;       ///< in use; empty: not OpenBLAS
  std::string best;         ///< best_core_type() of this CPU
  std::string found_first;  ///< what OpenBLAS had chosen by itself; empty: the program was not
                            ///< executed again
  bool crippled = false;    ///< the kernel in use, by is_crippled()
  bool user_chose_kernel = false;

  bool kernel_corrected() const { return !found_first.empty() && found_first != kernel; }
};
BlasReport blas_report();
/// One line that says what is wrong and what cures it; empty: all is well.
std::string blas_warning(const BlasReport& report);

}  // namespace lockstep
