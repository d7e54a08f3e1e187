#pragma once

#include <string>

namespace lockstep {

/// What standard output leads to.
struct Screen {
  bool terminal = false;
  int columns = 80;  ///< of the terminal
};

/// Under a launcher the process's own output tells nothing (Open MPI gives every rank a
/// pseudo-terminal): then the launcher's output, the parent's, must be a terminal too.
Screen find_screen(bool under_launcher);

/// Writes and flushes; what cannot be written is lost, training goes on.
void print_now(const std::string& text);

/// A line on standard error that begins with "lockstep: ", printable whatever it holds.
void print_error(const std::string& message);

}  // namespace lockstep
