#pragma once

#include <functional>
#include <string>

#include "launch/machine/child_process.hpp"

namespace lockstep {

/// Called again and again while a program runs; may throw, which ends the program.
using Meanwhile = std::function<void()>;

/// How a program ended and what it printed.
struct ProgramEnd {
  int exit_code = 0;
  std::string output;
};

/// Runs it to its end, which must be exit code 0 or `allowed`; otherwise, or if it takes longer
/// than two minutes, throws Error with its command line and its last words.
ProgramEnd run_program(const ChildCommand& command, const Meanwhile& meanwhile, int allowed = 0);
/// The same for a child that is running.
ProgramEnd finish_program(ChildProcess& child, const ChildCommand& command,
                          const Meanwhile& meanwhile, const std::function<bool(int)>& is_allowed);

}  // namespace lockstep
