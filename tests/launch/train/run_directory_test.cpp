#include "launch/train/run_directory.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "io/files/atomic_file.hpp"
#include "launch/train/run_lock.hpp"
#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

constexpr const char* kNetwork = "{\"network\": 1}\n";
constexpr const char* kHistory =
    "epoch,loss,learning_rate,train_seconds,val_seconds,samples_per_second\n1,0.5,0.1,1,0,10\n";

class RunDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ = fs::path(testing::TempDir()) / fmt::format("lockstep_{}_{}", name, ::getpid());
    fs::remove_all(path_);
    directory_ = RunDirectory(path_ / "run");
    settings_.data = "d.h5";
    settings_.layers = "Dense(1)";
  }
  void TearDown() override { fs::remove_all(path_); }

  static void write(const fs::path& file, const std::string& text = "x") {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  /// As a run leaves it that has written checkpoints after these steps.
  void make_run(const std::vector<std::int64_t>& steps) {
    directory_.create();
    directory_.write_description(settings_, kNetwork);
    for (const std::int64_t step : steps) write(directory_.checkpoint(step));
  }
  Beginning decide() const { return directory_.decide(settings_, kNetwork); }

  fs::path path_;
  RunDirectory directory_{""};
  TrainSettings settings_;
};

TEST_F(RunDirectoryTest, BeginsFreshWhereNothingIs) {
  EXPECT_EQ(decide(), Beginning::kFresh);
  EXPECT_FALSE(fs::exists(directory_.path()));  // a decision writes nothing

  directory_.create();
  EXPECT_EQ(decide(), Beginning::kFresh);
}

TEST_F(RunDirectoryTest, ResumesTheSameRun) {
  make_run({100});
  settings_.epochs = 9;  // more of the same
  settings_.keep = 7;

  EXPECT_EQ(decide(), Beginning::kResume);
  settings_.resume = Resume::kRequired;
  EXPECT_EQ(decide(), Beginning::kResume);
}

TEST_F(RunDirectoryTest, RefusesAnotherRunByNameOfTheOption) {
  make_run({100});
  settings_.batch_size = 64;

  expect_error(
      ExitCode::kCannotCreate, [&] { decide(); }, "holds another run",
      "batch-size 32 there, 64 here", "--run-dir", "--overwrite");
  settings_.resume = Resume::kRequired;
  expect_error(
      ExitCode::kUsage, [&] { decide(); }, "batch-size 32 there, 64 here");
}

TEST_F(RunDirectoryTest, RefusesAnotherNetwork) {
  make_run({100});

  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.decide(settings_, "{}\n"); }, "another network");
}

TEST_F(RunDirectoryTest, NeedsACheckpointIfResumeIsRequired) {
  settings_.resume = Resume::kRequired;

  expect_error(
      ExitCode::kMissingInput, [&] { decide(); }, "--resume required");
  make_run({});
  expect_error(
      ExitCode::kMissingInput, [&] { decide(); }, "--resume required");
}

TEST_F(RunDirectoryTest, LeavesResultsAloneIfResumeIsNever) {
  make_run({100});
  settings_.resume = Resume::kNever;

  expect_error(
      ExitCode::kCannotCreate, [&] { decide(); }, "--resume never");
  settings_.overwrite = true;
  EXPECT_EQ(decide(), Beginning::kFresh);
}

TEST_F(RunDirectoryTest, BeginsAgainIfThatRunHadNoCheckpointYet) {
  settings_.checkpoint_every = 2;
  make_run({});
  write(directory_.history(), kHistory);

  EXPECT_EQ(decide(), Beginning::kFresh);
}

TEST_F(RunDirectoryTest, NeverBeginsAgainIfCheckpointsWereLost) {
  make_run({});
  write(directory_.history(), kHistory);

  expect_error(
      ExitCode::kCannotCreate, [&] { decide(); }, "without a checkpoint");
}

TEST_F(RunDirectoryTest, RefusesADamagedConfig) {
  make_run({100});
  write(directory_.config(), read_file(directory_.config()) + "what = 1\n");

  expect_error(
      ExitCode::kBadData, [&] { decide(); }, "config.cfg", "unknown key 'what'");
}

TEST_F(RunDirectoryTest, NeverTouchesFilesOfAUserThatAreNamedAsOurs) {
  write(directory_.model_json(), "the user's");
  write(directory_.config(), "data = d.h5\nlayers = Dense(1)\n");

  expect_error(
      ExitCode::kCannotCreate, [&] { decide(); }, "--run-dir");
  settings_.overwrite = true;
  expect_error(
      ExitCode::kCannotCreate, [&] { decide(); }, "--run-dir");
}

TEST_F(RunDirectoryTest, ListsCheckpointsNewestFirstAndNothingElse) {
  make_run({5, 1000, 90});
  for (const char* name : {".ckpt-7.h5.12-0.tmp", "ckpt-.h5", "ckpt--3.h5", "ckpt-12x.h5",
                           "ckpt-12.h5.old", "notes.txt"}) {
    write(directory_.checkpoints() / name);
  }

  std::vector<std::int64_t> steps;
  for (const CheckpointFile& file : directory_.checkpoint_files()) steps.push_back(file.step);
  EXPECT_THAT(steps, ElementsAre(1000, 90, 5));
}

TEST_F(RunDirectoryTest, RemovesOnlyItsOwnFiles) {
  make_run({5});
  for (const fs::path& file :
       {directory_.history(), directory_.final_model(), directory_.best_model(),
        directory_.status(), directory_.path() / "notes.txt",
        directory_.checkpoints() / "theirs.h5"}) {
    write(file);
  }

  directory_.remove_results();

  EXPECT_FALSE(directory_.holds_results());
  EXPECT_TRUE(fs::exists(directory_.path() / "notes.txt"));
  EXPECT_TRUE(fs::exists(directory_.checkpoints() / "theirs.h5"));
}

TEST_F(RunDirectoryTest, KeepsTheNewestCheckpoints) {
  make_run({10, 20, 30, 40});

  directory_.remove_old_checkpoints(40, 2);

  EXPECT_FALSE(fs::exists(directory_.checkpoint(20)));
  EXPECT_TRUE(fs::exists(directory_.checkpoint(30)));
  EXPECT_TRUE(fs::exists(directory_.checkpoint(40)));
}

TEST_F(RunDirectoryTest, NeverRemovesTheCheckpointJustWrittenForALaterDamagedOne) {
  make_run({10, 20, 90});  // 90 was damaged, training went on from 10

  directory_.remove_old_checkpoints(20, 1);

  EXPECT_TRUE(fs::exists(directory_.checkpoint(20)));
  EXPECT_TRUE(fs::exists(directory_.checkpoint(90)));
  EXPECT_FALSE(fs::exists(directory_.checkpoint(10)));
}

TEST_F(RunDirectoryTest, WritesNoCheckpointThroughALink) {
  make_run({});
  fs::remove_all(directory_.checkpoints());
  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.check_checkpoints(); }, "got nothing");

  fs::create_directory(path_ / "elsewhere");
  fs::create_directory_symlink(path_ / "elsewhere", directory_.checkpoints());
  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.check_checkpoints(); }, "symbolic link");
  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.create(); }, "symbolic link");
}

TEST_F(RunDirectoryTest, CannotBeMadeInAFile) {
  write(path_ / "file");

  expect_error(
      ExitCode::kCannotCreate, [&] { RunDirectory(path_ / "file" / "run").create(); }, "run");
}

TEST_F(RunDirectoryTest, ReplacesItsStatus) {
  make_run({});
  directory_.write_status("RUNNING");
  directory_.write_status("DONE");

  EXPECT_EQ(read_file(directory_.status()), "DONE\n");
}

TEST_F(RunDirectoryTest, IsLockedForOthersWhileALockLives) {
  directory_.create();
  {
    const RunLock first(directory_.lock());
    expect_error(
        ExitCode::kCannotCreate, [&] { RunLock second(directory_.lock()); },
        directory_.path().string(), "in use by host", fmt::format("process {}", ::getpid()));
  }
  EXPECT_NO_THROW(RunLock third(directory_.lock()));
}

}  // namespace
}  // namespace lockstep
