#include "launch/cli/screen.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "io/files/posix_file.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// The errno of the first text that could not be printed, for the process as its output is.
int first_loss = 0;

/// Returns an errno, or 0.
int write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {  // somebody has made the terminal non-blocking
      pollfd output = {STDOUT_FILENO, POLLOUT, 0};
      ::poll(&output, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      return written == 0 ? ENOSPC : errno;
    }
  }
  return 0;
}

/// What a file system says at the end only, as NFS does, it says at every close.
int close_error() {
  const int copy = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  return copy >= 0 && ::close(copy) != 0 && errno != EINTR ? errno : 0;
}

std::string loss() {
  const int error = first_loss != 0 ? first_loss : close_error();
  if (error == 0 || error == EPIPE) return "";
  return "[output] expected standard output to take all that is printed, got: " +
         system_message(error);
}

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

void occupy_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const bool closed = ::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF;
    // The lowest free descriptor is this one. Read-only: what is printed there is lost, and known
    // to be.
    if (closed && ::open("/dev/null", O_RDONLY) < 0) return;
  }
}

void print_now(const std::string& text) {
  const int error = write_out(text);
  if (error != 0 && first_loss == 0) first_loss = error;
}

void check_printed() {
  const std::string lost = loss();
  check(lost.empty(), ExitCode::kInputOutput, "{}", lost);
}

std::string forgive_lost_output() {
  std::string lost = loss();
  first_loss = 0;
  return lost;
}

void print_error(const std::string& message) {
  constexpr std::size_t kLongest = 4000;
  const std::string line = fmt::format("lockstep: {}\n", printable(message, kLongest));
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace lockstep
