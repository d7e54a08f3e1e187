#include "io/files/directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "io/files/atomic_file.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using test::bytes_of;
using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::UnorderedElementsAre;

class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() { fs::create_directory(path_); }

  const TemporaryDirectory around_;
  const fs::path path_ = around_ / "d";
};

TEST_F(DirectoryTest, StaysTheSameWhenItIsMoved) {
  const Directory directory(path_);
  directory.write_atomically("f", "old");
  fs::rename(path_, around_ / "moved");
  fs::create_directory(path_);
  write_bytes(path_ / "f", "theirs");
  EXPECT_FALSE(directory.is_at_path());
  EXPECT_FALSE(directory.is_removed());

  directory.write_atomically("f", "new");
  directory.write_atomically("g", "");
  EXPECT_EQ(bytes_of(around_ / "moved/f"), "new");
  EXPECT_THAT(directory.file_names(), UnorderedElementsAre("f", "g"));
  directory.remove("f");
  EXPECT_EQ(bytes_of(path_ / "f"), "theirs");
  EXPECT_FALSE(fs::exists(around_ / "moved/f"));

  fs::remove_all(path_);
  fs::rename(around_ / "moved", path_);
  EXPECT_TRUE(directory.is_at_path());
}

TEST_F(DirectoryTest, TakesNothingWhenItIsRemoved) {
  const Directory directory(path_);
  fs::remove_all(path_);
  fs::create_directory(path_);

  EXPECT_TRUE(directory.is_removed());
  expect_error(ExitCode::kCannotCreate, {"/d/f]", "cannot create", "No such file"},
               [&] { directory.write_atomically("f", "new"); });
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(DirectoryTest, GoesThroughNoLinkToASubdirectory) {
  const Directory directory(path_);
  fs::create_directory(around_ / "other");
  fs::create_directory_symlink(around_ / "other", path_ / "link");
  write_bytes(path_ / "file", "x");

  expect_error(ExitCode::kCannotCreate, {"/d/link]", "a symbolic link"},
               [&] { directory.subdirectory("link"); });
  expect_error(ExitCode::kCannotCreate, {"/d/link]", "a symbolic link"},
               [&] { directory.make_subdirectory("link"); });
  expect_error(ExitCode::kCannotCreate, {"something else"},
               [&] { directory.make_subdirectory("file"); });
  expect_error(ExitCode::kCannotCreate, {"got nothing"}, [&] { directory.subdirectory("none"); });
  directory.make_subdirectory("sub").write_atomically("f", "new");
  directory.make_subdirectory("sub");
  EXPECT_EQ(bytes_of(path_ / "sub/f"), "new");
  EXPECT_THAT(directory.file_names(), UnorderedElementsAre("file", "link"));
}

TEST_F(DirectoryTest, KnowsAFileByMoreThanItsName) {
  const Directory directory(path_);
  write_bytes(path_ / "f", "x");
  const FileDescriptor file(::open((path_ / "f").c_str(), O_RDONLY));
  EXPECT_TRUE(directory.holds("f", file));
  EXPECT_FALSE(directory.holds("g", file));

  fs::rename(path_ / "f", path_ / "g");
  fs::create_symlink(path_ / "g", path_ / "f");
  EXPECT_FALSE(directory.holds("f", file));
  EXPECT_TRUE(directory.holds("g", file));
}

TEST_F(DirectoryTest, MustBeThere) {
  write_bytes(path_ / "file", "x");
  expect_error(ExitCode::kCannotCreate, {"none]", "No such file"},
               [&] { Directory directory(path_ / "none"); });
  expect_error(ExitCode::kCannotCreate, {"file]", "Not a directory"},
               [&] { Directory directory(path_ / "file"); });
  const Directory directory(path_);
  EXPECT_NO_THROW(directory.remove("none"));
}

TEST(TemporaryName, IsToldFromEveryOtherName) {
  EXPECT_EQ(target_of_temporary(".ckpt-5.h5.4711-0.tmp"), "ckpt-5.h5");
  EXPECT_EQ(target_of_temporary(".f.1-22.tmp"), "f");
  for (const char* other :
       {"", ".", ".tmp", "..tmp", "f.1-2.tmp", ".f.1-2", ".f.1-.tmp", ".f.-2.tmp", ".f.x-2.tmp",
        ".1-2.tmp", ".f-1.2.tmp", ".f.1-2.tmp~", ".f.1-2-.tmp", "..1-2.tmp"})
    EXPECT_EQ(target_of_temporary(other), std::nullopt) << other;
}

TEST(TemporaryName, IsWhatAKilledWriteLeaves) {
  const TemporaryDirectory directory;
  // Its own name is free again; a name that is taken stands for that of a killed process.
  write_bytes(directory / fmt::format(".f.{}-0.tmp", ::getpid()), "left");
  EXPECT_EQ(target_of_temporary(fmt::format(".f.{}-0.tmp", ::getpid())), "f");
  write_atomically(directory / "f", "new");
  EXPECT_THAT(Directory(directory.path()).file_names(),
              UnorderedElementsAre("f", fmt::format(".f.{}-0.tmp", ::getpid())));
}

}  // namespace
}  // namespace lockstep
