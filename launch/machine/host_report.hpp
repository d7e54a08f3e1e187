#pragma once

#include <string>
#include <vector>

#include "distributed/ranks/communicator.hpp"

namespace lockstep {

/// Where a rank runs. Cores are the system's logical CPUs, ascending.
struct RankPlace {
  int host = 0;  ///< the lowest rank of the world on the same host
  std::string host_name;
  std::vector<int> bound;   ///< the cores that the rank is bound to
  std::vector<int> usable;  ///< the cores that it could be bound to (the job's or container's)
};

/// "0-3,8": as the kernel and taskset write a list of cores.
std::string core_list(const std::vector<int>& cores);
/// Reads what core_list() writes.
std::vector<int> parse_core_list(const std::string& text);

/// Every rank's place, in the order of ranks. Collective.
std::vector<RankPlace> gather_places(const Communicator& world);

/// Launcher::name of what started this process; empty: nothing that we know.
std::string launcher_name();

/// Whether each rank can have `threads` cores of its own among those that it is bound to. If not on
/// some host, one line that says what is wrong there and what cures it; otherwise empty.
std::string shared_cores_warning(const std::vector<RankPlace>& places, int threads,
                                 const std::string& launcher);

/// Rank 0 prints shared_cores_warning(), if there is one, to stderr. Collective.
void warn_about_shared_cores(const Communicator& world, int threads);

}  // namespace lockstep
