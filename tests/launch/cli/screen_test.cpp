#include "launch/cli/screen.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

/// While it lives, standard output leads elsewhere.
class OutputTo {
 public:
  explicit OutputTo(int descriptor) : before_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    ::dup2(descriptor, STDOUT_FILENO);
    ::close(descriptor);
  }
  ~OutputTo() {
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }
  OutputTo(const OutputTo&) = delete;
  OutputTo& operator=(const OutputTo&) = delete;

 private:
  int before_;
};

void print_to(int descriptor) {
  const OutputTo elsewhere(descriptor);
  print_now("text\n");
}

int pipe_that_nobody_reads() {
  int ends[2] = {};
  EXPECT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  return ends[1];
}

TEST(Screen, FindsAFullDisk) {
  print_to(::open("/dev/full", O_WRONLY));
  const auto expect_lost = [] {
    expect_error(ExitCode::kInputOutput, check_printed, "standard output", "No space left");
  };
  expect_lost();
  print_now("");  // later text that arrives does not make up for it
  expect_lost();
  EXPECT_NE(forgive_lost_output(), "");
  check_printed();
}

TEST(Screen, TakesAReaderThatHasGoneForOneThatHadEnough) {
  std::signal(SIGPIPE, SIG_IGN);
  print_to(pipe_that_nobody_reads());
  check_printed();
}

}  // namespace
}  // namespace lockstep
