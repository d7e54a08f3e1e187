#include "launch/machine/child_process.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "io/files/atomic_file.hpp"
#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

using std::chrono::seconds;

class ChildProcesses : public testing::Test {
 protected:
  ChildProcesses() {
    std::string name = (std::filesystem::temp_directory_path() / "lockstep-child-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~ChildProcesses() override { std::filesystem::remove_all(directory_); }

  ChildCommand shell(const std::string& script) const {
    return {{"/bin/sh", "-c", script}, {}, directory_ / "log"};
  }
  std::string log() const { return read_file(directory_ / "log"); }

  static std::optional<int> wait(ChildProcess& child) {
    return child.wait(seconds(60), [] {});
  }

  /// The shell's child, once it is there.
  static ProcessId child_of(const ChildProcess& shell) {
    std::vector<ProcessId> found;
    for (int i = 0; i < 2000 && (found = descendants(shell.id())).empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return found.at(0);
  }

  std::filesystem::path directory_;
};

TEST_F(ChildProcesses, TellHowTheyEnded) {
  ChildProcess done(shell("exit 0")), failed(shell("exit 65")), killed(shell("kill -9 $$"));
  EXPECT_EQ(wait(done), 0);
  EXPECT_EQ(wait(failed), 65);
  EXPECT_EQ(wait(killed), 128 + 9);
}

TEST_F(ChildProcesses, WriteOutputAndErrorsToTheirLog) {
  ChildProcess child(shell("echo one; echo two >&2"));
  wait(child);
  EXPECT_EQ(log(), "one\ntwo\n");
}

TEST_F(ChildProcesses, SeeTheEnvironmentAndWhatIsAdded) {
  ::setenv("LOCKSTEP_CHILD_TEST_OLD", "old", 1);
  ::setenv("LOCKSTEP_CHILD_TEST_NEW", "old", 1);
  ChildCommand command = shell("echo $LOCKSTEP_CHILD_TEST_OLD $LOCKSTEP_CHILD_TEST_NEW");
  command.environment = {"LOCKSTEP_CHILD_TEST_NEW=new"};
  ChildProcess child(command);
  wait(child);
  EXPECT_EQ(log(), "old new\n");
  EXPECT_STREQ(::getenv("LOCKSTEP_CHILD_TEST_NEW"), "old");
}

TEST_F(ChildProcesses, HaveNothingToRead) {
  ChildProcess child(shell("cat"));
  EXPECT_EQ(wait(child), 0);
}

TEST_F(ChildProcesses, AreGivenUpAfterTheLimit) {
  ChildProcess child(shell("sleep 600"));
  EXPECT_EQ(child.wait(std::chrono::milliseconds(20), [] {}), std::nullopt);
}

TEST_F(ChildProcesses, EndWithTheirChildrenWhenTheWaitIsBrokenOff) {
  ProcessId grandchild;
  {
    ChildProcess child(shell("sleep 600 & wait"));
    grandchild = child_of(child);
    EXPECT_THROW(child.wait(seconds(60), [] { throw 1; }), int);
  }
  EXPECT_FALSE(kill_process(grandchild));
}

TEST_F(ChildProcesses, ThatCannotBeExecutedSayIt) {
  ChildProcess child({{"/nowhere/program"}, {}, directory_ / "log"});
  EXPECT_EQ(wait(child), 127);
  EXPECT_EQ(log(), "/nowhere/program cannot be executed\n");
  expect_error(
      ExitCode::kCannotCreate,
      [&] {
        ChildProcess({{"/bin/true"}, {}, directory_ / "none" / "log"});
      },
      "none/log");
}

TEST_F(ChildProcesses, AreKilledAsTheProcessTheyWere) {
  ChildProcess child(shell("sleep 600 & wait $!"));
  ProcessId later = child_of(child);
  later.born += "0";
  ASSERT_FALSE(kill_process(later));
  EXPECT_TRUE(kill_process(child_of(child)));
  EXPECT_EQ(wait(child), 128 + SIGKILL);
}

TEST_F(ChildProcesses, TellTheirRank) {
  ChildCommand command = shell("sleep 600 & wait");
  command.environment = {"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=3"};
  const ChildProcess child(command);
  const ProcessId rank = child_of(child);
  EXPECT_EQ(rank_of(rank), 3);
  EXPECT_FALSE(runs_this_program(rank));
}

TEST(ShellLine, CanBeTyped) {
  EXPECT_EQ(shell_line({{"/bin/lockstep", "--layers", "Dense(3, relu)", "it's", ""}, {}, {}}),
            "/bin/lockstep --layers 'Dense(3, relu)' 'it'\\''s' ''");
}

}  // namespace
}  // namespace lockstep
