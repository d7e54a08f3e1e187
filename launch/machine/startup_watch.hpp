#pragma once

#include <thread>

#include "launch/machine/launcher.hpp"

namespace lockstep {

/// Watches, while MPI starts, that the ranks of this host are all there. One that ends early, with
/// exit code 0 and before MPI_Init, is not noticed by mpirun (Open MPI 4.1): the others would wait
/// for it in MPI_Init for ever. If the launcher has had fewer children than ranks for some seconds,
/// this process says so and exits with 78, upon which the launcher ends the rest.
class StartupWatch {
 public:
  explicit StartupWatch(const Environment& environment);
  ~StartupWatch();  ///< MPI has started: the watch ends.

 private:
  std::jthread thread_;
};

/// How many ranks the launcher was to start on this host; 0 if the environment does not tell.
int local_ranks(const Environment& environment);

/// The number of processes that a launcher (mpirun, orted, prted, hydra_pmi_proxy) has as children;
/// negative if the process is no launcher known here, or cannot be looked at.
int launcher_children(int process);

}  // namespace lockstep
