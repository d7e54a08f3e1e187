#include "io/files/atomic_file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using test::bytes_of;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Makes writes behind `bytes` fail, as on a full disk, until the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(AtomicFile, WritesAndReadsAnyBytes) {
  TemporaryDirectory directory;
  std::string bytes(100'003, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);

  for (const std::string& content : {bytes, std::string(), std::string(4096, 'x')}) {
    write_atomically(directory / "f", content);
    EXPECT_EQ(bytes_of(directory / "f"), content);
    EXPECT_EQ(read_file(directory / "f"), content);
  }
  EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, FollowsTheUmaskAndReplacesFilesThatMayNotBeWritten) {
  TemporaryDirectory directory;
  const mode_t before = ::umask(027);
  write_atomically(directory / "f", "old");
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((directory / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);

  fs::permissions(directory / "f", fs::perms::owner_read);
  write_atomically(directory / "f", "new");
  EXPECT_EQ(bytes_of(directory / "f"), "new");
}

TEST(AtomicFile, AFailedWriteLeavesTheOldFileAndNothingElse) {
  TemporaryDirectory directory;
  write_atomically(directory / "f", "old");
  const std::string large(100'000, 'x');
  {
    const FileSizeLimit limit(10'000);
    expect_error(ExitCode::kInputOutput, {"/f]", "cannot write", "File too large"},
                 [&] { write_atomically(directory / "f", large); });
  }
  EXPECT_EQ(bytes_of(directory / "f"), "old");
  EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, ReplacesASymbolicLinkInsteadOfFollowingIt) {
  TemporaryDirectory directory;
  write_bytes(directory / "precious", "precious");
  fs::create_symlink(directory / "precious", directory / "f");

  write_atomically(directory / "f", "new");

  EXPECT_FALSE(fs::is_symlink(directory / "f"));
  EXPECT_EQ(bytes_of(directory / "f"), "new");
  EXPECT_EQ(bytes_of(directory / "precious"), "precious");
}

TEST(AtomicFile, DoesNotTouchStaleTemporaryFiles) {
  TemporaryDirectory directory;
  const std::string stale = fmt::format(".f.{}-0.tmp", ::getpid());
  write_bytes(directory / stale, "stale");

  write_atomically(directory / "f", "new");

  EXPECT_EQ(bytes_of(directory / "f"), "new");
  EXPECT_EQ(bytes_of(directory / stale), "stale");
}

TEST(AtomicFile, CannotCreateWhereThereIsNoDirectory) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "taken");
  write_bytes(directory / "taken/child", "x");

  expect_error(ExitCode::kCannotCreate, {"none/f", "cannot create", "No such file"},
               [&] { write_atomically(directory / "none/f", "x"); });
  expect_error(ExitCode::kCannotCreate, {"taken"},
               [&] { write_atomically(directory / "taken", "x"); });
  expect_error(ExitCode::kCannotCreate, {"name of a file"},
               [&] { write_atomically(directory.path() / "", "x"); });
  EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"taken"});
}

TEST(AtomicFile, SaysWhenPermissionIsMissing) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  TemporaryDirectory directory;
  fs::create_directory(directory / "closed");
  write_bytes(directory / "secret", "x");
  fs::permissions(directory / "secret", fs::perms::none);
  fs::permissions(directory / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  expect_error(ExitCode::kPermission, {"closed/f"},
               [&] { write_atomically(directory / "closed/f", "x"); });
  expect_error(ExitCode::kPermission, {"secret"}, [&] { read_file(directory / "secret"); });
  fs::permissions(directory / "closed", fs::perms::owner_all);
}

TEST(AtomicFile, ReadingWhatIsNoFileSaysWhatItIs) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  expect_error(ExitCode::kMissingInput, {"absent", "No such file"},
               [&] { read_file(directory / "absent"); });
  expect_error(ExitCode::kMissingInput, {"got a directory"}, [&] { read_file(directory.path()); });
  expect_error(ExitCode::kMissingInput, {"regular file"}, [&] { read_file(directory / "pipe"); });
}

TEST(AtomicFile, ARelativeNameIsWrittenToTheCurrentDirectory) {
  TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  write_atomically("f", "here");
  fs::current_path(before);
  EXPECT_EQ(bytes_of(directory / "f"), "here");
}

}  // namespace
}  // namespace lockstep
