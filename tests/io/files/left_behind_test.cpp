#include "io/files/left_behind.hpp"

#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "io/files/posix_file.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

/// The id of a process that has ended.
int past_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.insert(entry.path().filename().string());
  return names;
}

TEST(RemoveLeftBehind, RemovesWhatAKilledProcessHasLeft) {
  const test::TemporaryDirectory directory;
  const int past = past_process();
  test::write_bytes(directory / fmt::format(".d.h5.{}-0.tmp", past), "half");
  test::write_bytes(directory / fmt::format(".d.h5.{}-17.tmp", past), "half");
  test::write_bytes(directory / "d.h5", "whole");
  remove_left_behind(directory / "d.h5");
  EXPECT_EQ(names_in(directory.path()), std::set<std::string>{"d.h5"});
  remove_left_behind(directory / "nowhere" / "d.h5");
}

TEST(RemoveLeftBehind, LeavesWhatIsNotItsOwn) {
  const test::TemporaryDirectory directory;
  const int past = past_process();
  const std::string locked = fmt::format(".d.h5.{}-1.tmp", past);
  const std::set<std::string> names = {fmt::format(".d.h5.{}-0.tmp", ::getpid()),
                                       fmt::format(".other.h5.{}-0.tmp", past),
                                       fmt::format(".d.h5.{}.tmp", past),
                                       fmt::format(".d.h5.{}-x.tmp", past),
                                       fmt::format(".d.h5.{}-0.tmp.h5", past),
                                       fmt::format("d.h5.{}-0.tmp", past),
                                       ".d.h5.-0.tmp",
                                       locked};
  for (const std::string& name : names) test::write_bytes(directory / name, "");
  const FileDescriptor writer = open_input(directory / locked);
  ASSERT_EQ(::flock(writer.get(), LOCK_EX), 0);
  remove_left_behind(directory / "d.h5");
  EXPECT_EQ(names_in(directory.path()), names);
}

}  // namespace
}  // namespace lockstep
