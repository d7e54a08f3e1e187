#include "launch/cli/screen.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "io/files/posix_file.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

bool parent_writes_to_terminal() {
  const std::string path = fmt::format("/proc/{}/fd/1", ::getppid());
  const FileDescriptor output(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return output.get() >= 0 && ::isatty(output.get()) == 1;
}

}  // namespace

Screen find_screen(bool under_launcher) {
  Screen screen;
  screen.terminal =
      ::isatty(STDOUT_FILENO) == 1 && (!under_launcher || parent_writes_to_terminal());
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    screen.columns = size.ws_col;
  }
  return screen;
}

void print_now(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_error(const std::string& message) {
  constexpr std::size_t kLongest = 4000;
  const std::string line = fmt::format("lockstep: {}\n", printable(message, kLongest));
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace lockstep
