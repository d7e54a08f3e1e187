#include "launch/machine/mpi_starter.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "distributed/ranks/session.hpp"
#include "io/files/atomic_file.hpp"
#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

TEST(MpiStarter, GivesOpenMpiWhatItNeeds) {
  const MpiStarter starter{"/bin/mpirun", /*open_mpi=*/true, /*as_root=*/false, /*cores=*/2};
  const ChildCommand command = starter.command(2, {"lockstep", "train"}, "log");
  EXPECT_EQ(command.words, (Words{"/bin/mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none",
                                  "lockstep", "train"}));
  EXPECT_EQ(command.environment, Words{});
  EXPECT_EQ(starter.command(3, {}, "log").environment, Words{"OMPI_MCA_mpi_yield_when_idle=1"});
}

TEST(MpiStarter, LetsOpenMpiRunAsRoot) {
  const MpiStarter starter{"/bin/mpirun", true, /*as_root=*/true, 2};
  EXPECT_EQ(starter.command(1, {}, "log").environment,
            (Words{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"}));
}

TEST(MpiStarter, TellsOtherMpisNothingButTheNumber) {
  const MpiStarter starter{"/bin/mpiexec", /*open_mpi=*/false, /*as_root=*/true, 1};
  const ChildCommand command = starter.command(4, {"lockstep"}, "log");
  EXPECT_EQ(command.words, (Words{"/bin/mpiexec", "-n", "4", "lockstep"}));
  EXPECT_EQ(command.environment, Words{});
}

TEST(MpiStarter, TellsOpenMpiFromOthers) {
  EXPECT_TRUE(is_open_mpi("mpirun (Open MPI) 4.1.4\n\nReport bugs to ..."));
  EXPECT_TRUE(is_open_mpi("mpiexec (OpenRTE) 4.0.3"));
  EXPECT_TRUE(is_open_mpi("prterun (PRRTE) 3.0.2"));
  EXPECT_TRUE(is_open_mpi("Open MPI v4.1.4, package: Debian OpenMPI"));
  EXPECT_FALSE(is_open_mpi("HYDRA build details:\n    Version: 4.0.2"));
  EXPECT_FALSE(is_open_mpi("MPICH Version: 4.0.2"));
  EXPECT_FALSE(is_open_mpi("Intel(R) MPI Library for Linux* OS, Version 2021.11"));
}

/// A directory of programs.
class MpiPrograms : public testing::Test {
 protected:
  MpiPrograms() {
    std::string name = (fs::temp_directory_path() / "lockstep-starter-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~MpiPrograms() override { fs::remove_all(directory_); }

  fs::path make(const std::string& name, const std::string& version) const {
    const fs::path path = directory_ / name;
    write_atomically(path, "#!/bin/sh\necho '" + version + "'\n");
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  MpiStarter find(const std::string& given = "") const {
    const std::string path = "/nowhere:" + directory_.string();
    return find_mpi_starter(given, directory_, [&](const char*) { return path.c_str(); });
  }

  fs::path directory_;
};

TEST_F(MpiPrograms, AreFoundInPath) {
  const fs::path program = make("mpirun", "");
  write_atomically(directory_ / "text", "");
  const std::string path = "/nowhere:" + directory_.string() + ":/bin";
  EXPECT_EQ(find_in_path("mpirun", path.c_str()), program);
  EXPECT_EQ(find_in_path(program.string(), nullptr), program);
  EXPECT_FALSE(find_in_path("text", path.c_str()));  // nobody may execute it
  EXPECT_FALSE(find_in_path("none", path.c_str()));
  EXPECT_FALSE(find_in_path("mpirun", nullptr));
}

TEST_F(MpiPrograms, BelongToTheMpiOfThisProgram) {
  const std::string open_mpi = "mpirun (Open MPI) 4.1.4", hydra = "HYDRA build details:";
  const bool ours_is_open_mpi = is_open_mpi(mpi_library_version());
  const std::string own = ours_is_open_mpi ? open_mpi : hydra;
  const std::string other = ours_is_open_mpi ? hydra : open_mpi;
  make("mpirun", other);
  expect_error(
      ExitCode::kMissingInput, [&] { find(); }, "only " + directory_.string() + "/mpirun",
      "--mpirun");
  const fs::path right = make("mpiexec", own);
  EXPECT_EQ(find().program, right);
  EXPECT_EQ(find(make("mine", own).string()).program, directory_ / "mine");
}

TEST_F(MpiPrograms, AreMissed) {
  expect_error(
      ExitCode::kMissingInput, [&] { find(); }, "got neither", "--mpirun");
  expect_error(
      ExitCode::kMissingInput, [&] { find("/nowhere/mpirun"); }, "/nowhere/mpirun");
}

}  // namespace
}  // namespace lockstep
