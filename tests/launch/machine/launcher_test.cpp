#include "launch/machine/launcher.hpp"

#include <map>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

std::optional<Launcher> find(const std::map<std::string, std::string>& variables) {
  return find_launcher([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Launcher, IsNotSeenWithoutItsVariables) {
  EXPECT_FALSE(find({}));
  EXPECT_FALSE(find({{"PMI_RANK", "x"}}));
}

TEST(Launcher, IsNotABatchScript) {
  EXPECT_FALSE(find({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}));
}

TEST(Launcher, IsRecognisedByTasksAndTask) {
  const auto open_mpi = find({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "3"}});
  ASSERT_TRUE(open_mpi);
  EXPECT_EQ(open_mpi->tasks, 4);
  EXPECT_EQ(open_mpi->task, 3);
  EXPECT_EQ(find({{"PMI_SIZE", "2"}, {"PMI_RANK", "1"}})->tasks, 2);
  EXPECT_EQ(find({{"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_PROCID", "5"}})->name, "srun");
  EXPECT_EQ(find({{"PMIX_RANK", "1"}})->task, 1);
}

TEST(Launcher, IsMpirunInsideAStepOfSlurm) {
  const auto launcher = find({{"OMPI_COMM_WORLD_SIZE", "1"},
                              {"OMPI_COMM_WORLD_RANK", "0"},
                              {"SLURM_STEP_NUM_TASKS", "2"},
                              {"SLURM_PROCID", "0"}});
  ASSERT_TRUE(launcher);
  EXPECT_NO_THROW(check_world_size(launcher, 1));
}

TEST(Launcher, MustAgreeWithTheWorldsSize) {
  const Launcher srun{"srun", 4, 0};
  const Launcher mpirun{"mpiexec of MPICH", 2, 0};

  EXPECT_NO_THROW(check_world_size(std::nullopt, 1));
  EXPECT_NO_THROW(check_world_size(srun, 4));
  expect_error(
      ExitCode::kDisagreement, [&] { check_world_size(srun, 1); }, "4 ranks from srun",
      "srun --mpi=pmix");
  expect_error(
      ExitCode::kDisagreement, [&] { check_world_size(mpirun, 1); },
      "the mpirun of the MPI that it was built with");
}

}  // namespace
}  // namespace lockstep
