#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launch/machine/launcher.hpp"

namespace lockstep {

/// What to start.
struct ChildCommand {
  std::vector<std::string> words;        ///< the program's path first
  std::vector<std::string> environment;  ///< "NAME=value", in addition to this process's own
  std::filesystem::path log;             ///< its standard output and error; replaced
};

/// The command as one could type it: words that a shell would take apart stand in quotes.
std::string shell_line(const ChildCommand& command);

/// A program that runs beside this one, in a process group of its own, with nothing to read. It
/// ends when this process dies.
class ChildProcess {
 public:
  /// Throws Error (74) if there can be no more processes, or the log cannot be made (73). A program
  /// that cannot be executed exits with 127 and says why in its log.
  explicit ChildProcess(const ChildCommand& command);
  /// Ends it and its children, first in a friendly way.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  int id() const { return id_; }
  /// Until it ends: its exit code, 128 + n for signal n; none after `limit`. Calls `meanwhile`
  /// every few milliseconds, which may throw.
  std::optional<int> wait(std::chrono::milliseconds limit, const std::function<void()>& meanwhile);

 private:
  bool has_ended();

  int id_ = -1;
  std::optional<int> exit_code_;
};

/// A process that is told from a later one of the same id by its time of birth.
struct ProcessId {
  int id = 0;
  std::string born;  ///< field 22 of /proc/ID/stat
};

/// The living children of `parent`, their children and so on.
std::vector<ProcessId> descendants(int parent);
/// Whether the process still runs the executable that this process runs.
bool runs_this_program(const ProcessId& process);
/// Which rank a process is, as its launcher has put it into its environment.
std::optional<int> rank_of(const ProcessId& process);
/// Sends SIGKILL, if it is still that process. Returns whether it was.
bool kill_process(const ProcessId& process);

}  // namespace lockstep
