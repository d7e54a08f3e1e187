#include "launch/cli/output_place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

class OutputPlaceTest : public testing::Test {
 protected:
  OutputPlaceTest() {
    std::string pattern = testing::TempDir() + "output-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    std::ofstream(path("d.h5")) << "data";
  }
  ~OutputPlaceTest() override { fs::remove_all(directory_); }

  fs::path path(const std::string& name) const { return directory_ / name; }
  void refuse_input(const fs::path& out) const {
    expect_error(
        ExitCode::kCannotCreate,
        [&] {
          check_output_file(out, true, {{"--x", ""}, {"--data", path("d.h5")}});
        },
        out.filename().string(), "--data", path("d.h5").string(), "another --out");
  }
  void refuse(ExitCode code, const fs::path& out, const std::string& word,
              bool overwrite = true) const {
    expect_error(
        code, [&] { check_output_file(out, overwrite, {}); }, out.string(), word);
  }

  fs::path directory_;
};

TEST_F(OutputPlaceTest, TakesANewFileAndWhatMayBeReplaced) {
  check_output_file(path("new.h5"), false, {{"--data", path("d.h5")}, {"--x", path("none.h5")}});
  std::ofstream(path("old.h5")) << "old";
  check_output_file(path("old.h5"), true, {{"--data", path("d.h5")}});
  fs::create_symlink("nowhere.h5", path("dangling.h5"));
  check_output_file(path("dangling.h5"), true, {{"--data", path("d.h5")}});
  check_output_file("a-new-file.h5", false, {});
}

TEST_F(OutputPlaceTest, RefusesAnInputUnderWhateverName) {
  fs::create_directory(path("sub"));
  fs::create_symlink("d.h5", path("symbolic.h5"));
  fs::create_symlink("symbolic.h5", path("twice.h5"));
  fs::create_hard_link(path("d.h5"), path("hard.h5"));
  fs::create_directory_symlink(".", path("here"));
  for (const char* name :
       {"d.h5", "./sub/../d.h5", "symbolic.h5", "twice.h5", "hard.h5", "here/d.h5"}) {
    refuse_input(path(name));
  }
  EXPECT_EQ(fs::file_size(path("d.h5")), 4U);
}

TEST_F(OutputPlaceTest, RefusesWhatIsThereWithoutOverwrite) {
  refuse(ExitCode::kCannotCreate, path("d.h5"), "--overwrite", false);
  fs::create_symlink("nowhere.h5", path("dangling.h5"));
  refuse(ExitCode::kCannotCreate, path("dangling.h5"), "--overwrite", false);
}

TEST_F(OutputPlaceTest, RefusesWhatIsNoPlaceForAFile) {
  fs::create_directory(path("taken.h5"));
  ::mkfifo(path("pipe.h5").c_str(), 0600);
  refuse(ExitCode::kCannotCreate, path("taken.h5"), "directory");
  refuse(ExitCode::kCannotCreate, path("taken.h5") / "", "directory");
  refuse(ExitCode::kCannotCreate, path("pipe.h5"), "pipe");
  refuse(ExitCode::kCannotCreate, "/dev/null", "device");
  fs::create_symlink("/proc/self/fd/1", path("out.h5"));  // as /dev/stdout is one
  refuse(ExitCode::kCannotCreate, path("out.h5"), "device");
  refuse(ExitCode::kCannotCreate, "/dev/fd/1", "device");
  refuse(ExitCode::kCannotCreate, path("none") / "p.h5", "to exist, got none");
  refuse(ExitCode::kCannotCreate, path("d.h5") / "p.h5", "to exist, got a file");
  refuse(ExitCode::kCannotCreate, path(std::string(300, 'x')), "too long");
}

TEST_F(OutputPlaceTest, NeedsPermissionForTheDirectory) {
  fs::create_directory(path("locked"));
  fs::create_directory(path("closed"));
  fs::create_directory(path("closed") / "inner");
  fs::permissions(path("locked"), fs::perms(0555));
  fs::permissions(path("closed"), fs::perms(0));
  fs::permissions(directory_, fs::perms(0755));
  const bool root = ::geteuid() == 0;  // who may write everywhere: become somebody else
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  refuse(ExitCode::kPermission, path("locked") / "p.h5", "Permission denied");
  refuse(ExitCode::kPermission, path("closed") / "p.h5", "Permission denied");
  refuse(ExitCode::kPermission, path("closed") / "inner" / "p.h5", "Permission denied");
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  fs::permissions(path("closed"), fs::perms(0755));
}

}  // namespace
}  // namespace lockstep
