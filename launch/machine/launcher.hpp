#pragma once

#include <functional>
#include <optional>
#include <string>

namespace lockstep {

/// What started this process, if it started several.
struct Launcher {
  std::string name;  ///< "mpirun of Open MPI"
  int tasks = 1;     ///< how many processes it started, as far as the environment says
  int task = 0;      ///< which of them this is
};

/// Reads an environment variable as std::getenv does.
using Environment = std::function<const char*(const char* name)>;

/// None: nothing in the environment shows a launcher.
std::optional<Launcher> find_launcher(const Environment& environment);

/// Throws Error (78), naming the cure, if the launcher started several tasks and MPI sees only one
/// rank: each of them would be a job of its own, in one directory.
void check_world_size(const std::optional<Launcher>& launcher, int world_size);

}  // namespace lockstep
