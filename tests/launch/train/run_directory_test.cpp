#include "launch/train/run_directory.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "io/files/atomic_file.hpp"
#include "launch/train/run_lock.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
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
  settings_.training.epochs = 9;  // more of the same
  settings_.keep = 7;

  EXPECT_EQ(decide(), Beginning::kResume);
  settings_.resume = Resume::kRequired;
  EXPECT_EQ(decide(), Beginning::kResume);
}

TEST_F(RunDirectoryTest, RefusesAnotherRunByNameOfTheOption) {
  make_run({100});
  settings_.training.batch_size = 64;

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
        directory_.path() / "final.keras", directory_.path() / "best.keras", directory_.status(),
        directory_.path() / "notes.txt", directory_.checkpoints() / "theirs.h5"}) {
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

TEST_F(RunDirectoryTest, GoesAlongWhenItIsMovedAway) {
  make_run({10, 20});
  directory_.take_lock();
  EXPECT_NO_THROW(directory_.check_place());
  fs::rename(directory_.path(), path_ / "moved");
  RunDirectory other(directory_.path());
  other.create();
  other.take_lock();  // another job in its place
  write(other.checkpoint(10), "theirs");

  directory_.write_checkpoint(30, std::as_bytes(std::span("new", 3)));
  directory_.remove_old_checkpoints(30, 1);
  directory_.write(directory_.history(), kHistory);
  directory_.write_status("DONE");

  EXPECT_EQ(read_file(path_ / "moved/checkpoints/ckpt-30.h5"), "new");
  EXPECT_FALSE(fs::exists(path_ / "moved/checkpoints/ckpt-20.h5"));
  EXPECT_EQ(read_file(path_ / "moved/run.status"), "DONE\n");
  EXPECT_EQ(read_file(other.checkpoint(10)), "theirs");
  EXPECT_FALSE(fs::exists(other.history()));
  EXPECT_FALSE(fs::exists(other.checkpoint(30)));
  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.check_place(); }, "has been moved away");
}

TEST_F(RunDirectoryTest, IsLeftAloneOnceItsLockIsAnotherOne) {
  make_run({10, 20});
  directory_.take_lock();
  const auto expect_left_alone = [&](const std::string& word) {
    const auto expect = [&](const std::function<void()>& action) {
      expect_error(ExitCode::kCannotCreate, action, "run.lock", word);
    };
    expect([&] { directory_.write_status("DONE"); });
    expect([&] { directory_.write_checkpoint(30, {}); });
    expect([&] { directory_.write(directory_.final_model(), "x"); });
    expect([&] { directory_.remove_old_checkpoints(20, 1); });
    expect([&] { directory_.remove_results(); });
    EXPECT_TRUE(fs::exists(directory_.checkpoint(10)));
    EXPECT_FALSE(fs::exists(directory_.status()));
  };
  fs::remove(directory_.lock());
  expect_left_alone("got none");
  write(directory_.lock());
  expect_left_alone("got another one");
}

TEST_F(RunDirectoryTest, SaysThatItHasBeenRemoved) {
  make_run({10});
  directory_.take_lock();
  fs::remove_all(directory_.path());
  fs::create_directory(directory_.path());

  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.write_status("DONE"); }, "has been removed");
  EXPECT_TRUE(fs::is_empty(directory_.path()));
}

TEST_F(RunDirectoryTest, WritesNoCheckpointThroughALinkThatComesLater) {
  make_run({});
  directory_.take_lock();
  fs::create_directory(path_ / "elsewhere");
  fs::rename(directory_.checkpoints(), path_ / "moved");
  fs::create_directory_symlink(path_ / "elsewhere", directory_.checkpoints());

  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.write_checkpoint(1, {}); }, "symbolic link");
  write(path_ / "elsewhere/ckpt-1.h5");
  expect_error(
      ExitCode::kCannotCreate, [&] { directory_.remove_old_checkpoints(9, 1); }, "symbolic link");
  EXPECT_TRUE(fs::exists(path_ / "elsewhere/ckpt-1.h5"));
}

TEST_F(RunDirectoryTest, RemovesWhatKilledSavesHaveLeft) {
  make_run({});
  const std::vector<fs::path> ours = {directory_.checkpoints() / ".ckpt-7.h5.12-0.tmp",
                                      directory_.path() / ".run.status.3-1.tmp",
                                      directory_.path() / ".final.h5.3-1.tmp"};
  const std::vector<fs::path> theirs = {directory_.checkpoints() / ".final.h5.12-0.tmp",
                                        directory_.checkpoints() / ".ckpt-x.h5.12-0.tmp",
                                        directory_.path() / ".notes.3-1.tmp",
                                        directory_.path() / ".final.h5.tmp"};
  for (const auto& files : {ours, theirs})
    for (const fs::path& file : files) write(file);
  {
    const RunLock held_by_another(directory_.lock());
    expect_error(
        ExitCode::kCannotCreate, [&] { directory_.take_lock(); }, "in use by");
    for (const fs::path& file : ours) EXPECT_TRUE(fs::exists(file)) << file;
  }
  directory_.take_lock();

  for (const fs::path& file : ours) EXPECT_FALSE(fs::exists(file)) << file;
  for (const fs::path& file : theirs) EXPECT_TRUE(fs::exists(file)) << file;
}

TEST_F(RunDirectoryTest, RefusesAFileThatWasReplacedUnderItsName) {
  const auto refuses = [&](const std::string& network, const std::string& first,
                           const std::string& second) {
    expect_error(
        ExitCode::kBadData, [&] { directory_.decide(settings_, network); }, first, second,
        "--overwrite");
  };
  settings_.layers = "";
  settings_.from = "start.h5";
  make_run({100});
  refuses("{\"network\": 2}\n", "start.h5", "'{\"network\": 1}' there, '{\"network\": 2}' here");

  settings_.from = "";
  settings_.model = "m.json";
  make_run({100});
  refuses("{\"network\": 2}\n", "m.json", "there");

  settings_.model = "";
  settings_.layers = "Dense(1)";
  const auto network_for = [](const std::string& columns) {
    return model_to_json(model_from_layers_text("Input((" + columns + ",)), Dense(1)")).dump(2);
  };
  directory_.write_description(settings_, network_for("8"));
  refuses(network_for("9"), "expected rows of shape (8) in d.h5", "got (9)");
  EXPECT_EQ(directory_.decide(settings_, network_for("8")), Beginning::kResume);
}

/// Root may write everywhere: the test then becomes nobody for a while.
class OrdinaryUser {
 public:
  OrdinaryUser() { change_to(::geteuid() == 0 ? 65534 : ::geteuid()); }
  ~OrdinaryUser() { change_to(::getuid()); }

 private:
  static void change_to(uid_t user) { ASSERT_EQ(::seteuid(user), 0); }
};

TEST_F(RunDirectoryTest, SaysWhenPermissionIsMissing) {
  make_run({100});
  for (const fs::perms perms : {fs::perms::none, fs::perms::owner_all}) {
    fs::permissions(directory_.path(), perms);
    {
      const OrdinaryUser user;
      const RunDirectory closed(directory_.path());
      RunDirectory deeper(directory_.path() / "deeper");
      if (perms == fs::perms::none)
        expect_error(
            ExitCode::kPermission, [&] { closed.decide(settings_, kNetwork); }, "ermission");
      expect_error(
          ExitCode::kPermission, [&] { deeper.create(); }, "deeper", "ermission");
      expect_error(
          ExitCode::kPermission, [&] { directory_.write_status("DONE"); }, "run.status");
      if (::getuid() != 0) break;  // the owner may do what the second round forbids
    }
    fs::permissions(directory_.path(), fs::perms::owner_all);
  }
  fs::permissions(directory_.path(), fs::perms::owner_all);
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
