#include "launch/machine/launcher.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include "distributed/ranks/session.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

/// How a launcher shows itself; the first one that does counts, since mpirun may run under srun.
struct Sign {
  const char* launcher;
  const char* tasks;
  const char* task;
};
constexpr std::array kSigns = {
    Sign{"mpirun of Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
    Sign{"mpirun of MVAPICH", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"},
    Sign{"mpiexec of MPICH", "PMI_SIZE", "PMI_RANK"},
    // Set for the tasks of a step only, not for a batch script (unlike SLURM_NTASKS).
    Sign{"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},
    Sign{"a PMIx launcher", "PMIX_SIZE", "PMIX_RANK"},
};

std::optional<int> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  int value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Launcher> find_launcher(const Environment& environment) {
  for (const Sign& sign : kSigns) {
    const std::optional<int> tasks = number(environment(sign.tasks));
    const std::optional<int> task = number(environment(sign.task));
    if (!task) continue;
    const bool of_a_step = std::string_view(sign.launcher) != "srun" || tasks;
    if (of_a_step) return Launcher{sign.launcher, tasks.value_or(1), *task};
  }
  return std::nullopt;
}

void check_world_size(const std::optional<Launcher>& launcher, int world_size) {
  if (!launcher || launcher->tasks <= 1 || world_size > 1) return;
  const std::string cure =
      launcher->name == "srun"
          ? "start it with srun --mpi=pmix (srun --mpi=list shows what there is)"
          : "start it with the mpirun of the MPI that it was built with";
  fail(ExitCode::kDisagreement,
       "[mpi] expected one job of {} ranks from {}, got {} jobs of one rank: {}; lockstep is "
       "built with {}",
       launcher->tasks, launcher->name, launcher->tasks, cure, mpi_library_version());
}

}  // namespace lockstep
