#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "io/hdf5/hdf5.hpp"
#include "io/import/import.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using test::TemporaryDirectory;
using testing::ElementsAre;

std::size_t files_in(const std::filesystem::path& directory) {
  const std::filesystem::directory_iterator all(directory);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

DatasetArrays glyph_dataset(std::int64_t rows) {
  Glyphs glyphs = synthetic_glyphs(rows, 1);
  return {std::move(glyphs.x), std::move(glyphs.y), std::nullopt, std::nullopt};
}

TEST(WriteDatasetFile, WritesTheArraysUnderTheirNames) {
  const TemporaryDirectory directory;
  const DatasetArrays arrays = glyph_dataset(13);

  write_dataset_file(directory / "d.h5", arrays);

  const hdf5::File file = hdf5::File::open(directory / "d.h5");
  EXPECT_THAT(file.datasets(), ElementsAre("/x_train", "/y_train"));
  const hdf5::DatasetInfo info = file.dataset_info("/x_train");
  EXPECT_EQ(info.extents, (Shape{13, 28, 28}));
  EXPECT_EQ(info.type, ElementType::kUint8);
  std::vector<std::byte> back(arrays.x_train->bytes.size());
  file.read_rows("/x_train", ElementType::kUint8, 0, 13, back);
  EXPECT_EQ(back, arrays.x_train->bytes);
  EXPECT_EQ(files_in(directory.path()), 1U) << "no temporary file is left";
}

TEST(WriteDatasetFile, ReplacesAnOlderFile) {
  const TemporaryDirectory directory;
  write_dataset_file(directory / "d.h5", glyph_dataset(3));
  write_dataset_file(directory / "d.h5", glyph_dataset(5));
  EXPECT_EQ(hdf5::File::open(directory / "d.h5").dataset_info("/y_train").extents, Shape{5});
}

TEST(WriteDatasetFile, RefusesDifferentNumbersOfRowsAndLeavesTheOldFile) {
  const TemporaryDirectory directory;
  test::write_bytes(directory / "d.h5", "old");
  DatasetArrays arrays = glyph_dataset(3);
  arrays.y_train->rows = 2;

  expect_error(ExitCode::kBadData, {"x_train", "y_train", "3 and 2"},
               [&] { write_dataset_file(directory / "d.h5", arrays); });

  EXPECT_EQ(test::bytes_of(directory / "d.h5"), "old");
}

TEST(WriteDatasetFile, CannotCreateInADirectoryThatIsNotThereOrOverOne) {
  const TemporaryDirectory directory;
  expect_error(ExitCode::kCannotCreate, {"none"},
               [&] { write_dataset_file(directory / "none" / "d.h5", glyph_dataset(1)); });
  std::filesystem::create_directory(directory / "taken");
  expect_error(ExitCode::kCannotCreate, {"taken"},
               [&] { write_dataset_file(directory / "taken", glyph_dataset(1)); });
  EXPECT_EQ(files_in(directory.path()), 1U) << "no temporary file is left";
}

/// While it lives, files of this process may not be larger.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_ = {};
  void (*handler_)(int) = nullptr;
};

TEST(WriteDatasetFile, LeavesTheOldFileAndNoOtherIfThereIsNoRoom) {
  const TemporaryDirectory directory;
  test::write_bytes(directory / "d.h5", "old");
  const DatasetArrays arrays = glyph_dataset(300);
  for (const rlim_t limit : {rlim_t{0}, rlim_t{4096}, rlim_t{200'000}}) {
    const FileLimit guard(limit);
    expect_error(ExitCode::kInputOutput, {"d.h5", "File too large"},
                 [&] { write_dataset_file(directory / "d.h5", arrays); });
  }
  EXPECT_EQ(test::bytes_of(directory / "d.h5"), "old");
  EXPECT_EQ(files_in(directory.path()), 1U);
}

TEST(WriteDatasetFile, NeedsPermissionForTheDirectory) {
  const TemporaryDirectory directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0555));
  const bool root = ::geteuid() == 0;  // who may write everywhere: become somebody else
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  expect_error(ExitCode::kPermission, {"d.h5", "Permission denied"},
               [&] { write_dataset_file(directory / "d.h5", glyph_dataset(1)); });
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
}

}  // namespace
}  // namespace lockstep
