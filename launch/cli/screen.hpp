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

/// For the beginning of main(): a standard stream that is closed becomes one that nothing can be
/// written to, lest a file be opened in its place and get what is printed.
void occupy_standard_streams();

/// Writes to standard output, at once. What cannot be written is lost; see below.
void print_now(const std::string& text);

/// That all that was printed has arrived; throws Error (74) otherwise. A pipe whose reader has gone
/// (`| head`) had enough: no error.
void check_printed();

/// For a training, which goes on without its log: what check_printed() would say now, and no more;
/// empty if nothing was lost.
std::string forgive_lost_output();

/// A line on standard error that begins with "lockstep: ", printable whatever it holds.
void print_error(const std::string& message);

}  // namespace lockstep
