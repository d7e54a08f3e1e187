#include "launch/machine/mpi_starter.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <sstream>
#include <thread>

#include "distributed/ranks/session.hpp"
#include "io/files/atomic_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

bool is_executable(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

int usable_cores() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::string version_of(const fs::path& program, const fs::path& scratch) {
  const ChildCommand command{{program.string(), "--version"}, {}, scratch / "mpirun-version.log"};
  ChildProcess child(command);
  child.wait(std::chrono::seconds(10), [] {});
  return read_file(command.log);
}

}  // namespace

std::optional<fs::path> find_in_path(const std::string& name, const char* path) {
  if (name.find('/') != std::string::npos) {
    return is_executable(name) ? std::optional(fs::absolute(name)) : std::nullopt;
  }
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path candidate = fs::path(directory.empty() ? "." : directory) / name;
    if (is_executable(candidate)) return fs::absolute(candidate);
  }
  return std::nullopt;
}

bool is_open_mpi(std::string_view text) {
  constexpr std::array<std::string_view, 5> kNames = {"Open MPI", "OpenMPI", "OpenRTE", "Open RTE",
                                                      "PRRTE"};
  return std::ranges::any_of(
      kNames, [&](std::string_view name) { return text.find(name) != std::string_view::npos; });
}

ChildCommand MpiStarter::command(int ranks, const std::vector<std::string>& words,
                                 const fs::path& log) const {
  ChildCommand result{{program.string(), "-n", std::to_string(ranks)}, {}, log};
  if (open_mpi) {
    result.words.insert(result.words.end(), {"--oversubscribe", "--bind-to", "none"});
    if (ranks > cores) result.environment.emplace_back("OMPI_MCA_mpi_yield_when_idle=1");
    if (as_root) {
      result.environment.insert(result.environment.end(),
                                {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"});
    }
  }
  result.words.insert(result.words.end(), words.begin(), words.end());
  return result;
}

MpiStarter find_mpi_starter(const std::string& given, const fs::path& scratch,
                            const Environment& environment) {
  const char* path = environment("PATH");
  const bool as_root = ::geteuid() == 0;
  if (!given.empty()) {
    const auto program = find_in_path(given, path);
    check(program.has_value(), ExitCode::kMissingInput,
          "[demo] --mpirun {}: no such program, or not executable", printable(given));
    return {*program, is_open_mpi(version_of(*program, scratch)), as_root, usable_cores()};
  }
  const std::string library = mpi_library_version();
  std::string others;
  // Debian's names with a suffix stand beside each other where several MPIs are installed.
  for (const char* name :
       {"mpirun", "mpiexec", "mpirun.openmpi", "mpiexec.mpich", "mpiexec.hydra"}) {
    const auto program = find_in_path(name, path);
    if (!program) continue;
    const bool open_mpi = is_open_mpi(version_of(*program, scratch));
    if (open_mpi == is_open_mpi(library)) return {*program, open_mpi, as_root, usable_cores()};
    others += (others.empty() ? "only " : ", ") + program->string();
  }
  fail(ExitCode::kMissingInput,
       "[demo] expected mpirun or mpiexec of {} in PATH, got {}; --mpirun PROGRAM names one",
       library, others.empty() ? "neither" : printable(others));
}

}  // namespace lockstep
