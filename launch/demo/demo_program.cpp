#include "launch/demo/demo_program.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <sstream>
#include <vector>

#include "io/files/atomic_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::chrono::seconds kTimeLimit{120};

/// What a failing program said last: its own error lines if it has any.
std::string last_words(const std::string& output) {
  constexpr std::size_t kLines = 5;
  std::vector<std::string> ours, all;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r-") == std::string::npos) continue;  // and mpirun's rules
    all.push_back(line);
    if (line.starts_with("lockstep: ") && !line.starts_with("lockstep: warning:")) {
      ours.push_back(line);
    }
  }
  const std::vector<std::string>& chosen = ours.empty() ? all : ours;
  const std::size_t skipped = chosen.size() > kLines ? chosen.size() - kLines : 0;
  std::string text;
  for (std::size_t i = skipped; i < chosen.size(); ++i) text += "\n  " + printable(chosen[i]);
  return text.empty() ? "\n  (nothing)" : text;
}

[[noreturn]] void fail_with(const ChildCommand& command, std::optional<int> exit_code) {
  const std::string end = exit_code ? fmt::format("ended with exit code {}", *exit_code)
                                    : fmt::format("did not end in {} s", kTimeLimit.count());
  throw Error(ExitCode::kNumerical, fmt::format("this command {}:\n  {}\nIt said:{}", end,
                                                printable(shell_line(command), 4000),
                                                last_words(read_file(command.log))));
}

}  // namespace

ProgramEnd run_program(const ChildCommand& command, const Meanwhile& meanwhile, int allowed) {
  ChildProcess child(command);
  return finish_program(child, command, meanwhile,
                        [&](int exit_code) { return exit_code == 0 || exit_code == allowed; });
}

ProgramEnd finish_program(ChildProcess& child, const ChildCommand& command,
                          const Meanwhile& meanwhile, const std::function<bool(int)>& is_allowed) {
  const std::optional<int> exit_code = child.wait(kTimeLimit, meanwhile);
  if (!exit_code || !is_allowed(*exit_code)) fail_with(command, exit_code);
  return {*exit_code, read_file(command.log)};
}

}  // namespace lockstep
