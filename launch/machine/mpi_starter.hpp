#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/machine/child_process.hpp"
#include "launch/machine/launcher.hpp"

namespace lockstep {

/// The first executable file of that name in the directories of PATH (colons between them); a name
/// with a slash is a path.
std::optional<std::filesystem::path> find_in_path(const std::string& name, const char* path);

/// Whether Open MPI wrote this: mpirun's answer to --version, or mpi_library_version().
bool is_open_mpi(std::string_view text);

/// An mpirun, and what it must be told to start ranks on this machine whatever their number.
struct MpiStarter {
  std::filesystem::path program;
  bool open_mpi = false;
  bool as_root = false;
  int cores = 1;  ///< that this process may use

  /// `words` on so many ranks. `log`: see ChildCommand.
  ChildCommand command(int ranks, const std::vector<std::string>& words,
                       const std::filesystem::path& log) const;
};

/// `given`, or else the mpirun or mpiexec in PATH that belongs to the MPI of this program. Throws
/// Error (66): there is none. `scratch`: a directory for the answers to --version.
MpiStarter find_mpi_starter(const std::string& given, const std::filesystem::path& scratch,
                            const Environment& environment);

}  // namespace lockstep
