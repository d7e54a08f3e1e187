#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "io/data/dataset_file.hpp"
#include "launch/cli/command.hpp"
#include "launch/commands/import_sources.hpp"

namespace lockstep {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Runs `lockstep import` in a directory of its own.
class Import : public testing::Test {
 protected:
  Import() {
    std::string pattern = testing::TempDir() + "import-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~Import() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }

  static ExitCode run(std::vector<std::string> arguments) {
    return run_import({std::move(arguments), nullptr});
  }
  static void expect_error(std::vector<std::string> arguments, ExitCode code,
                           const testing::Matcher<std::string>& message) {
    try {
      run(std::move(arguments));
      FAIL() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(), message);
    }
  }

  std::vector<std::int64_t> labels(const std::string& file, const std::string& dataset) const {
    const DatasetFile y(path(file), dataset);
    std::vector<std::int64_t> values(static_cast<std::size_t>(y.rows()));
    y.read(0, y.rows(), std::as_writable_bytes(std::span(values)));
    return values;
  }

  std::filesystem::path directory_;
};

TEST_F(Import, RefusesWrongArgumentsByName) {
  const std::string out = path("o.h5");
  expect_error({}, ExitCode::kUsage, HasSubstr("expected idx, csv, text, npy, npz, hdf5 or synthetic"));
  expect_error({"tsv"}, ExitCode::kUsage, HasSubstr("got 'tsv'"));
  expect_error({"synthetic"}, ExitCode::kUsage, HasSubstr("--out"));
  expect_error({"synthetic", "--rows", "0", "--out", out}, ExitCode::kUsage, HasSubstr("--rows"));
  expect_error({"synthetic", "--label", "x", "--out", out}, ExitCode::kUsage, HasSubstr("--label"));
  expect_error({"npy", "--out", out}, ExitCode::kUsage, HasSubstr("--x-train"));
  expect_error({"npy", "--y-train", "y.npy", "--x-test", "x.npy", "--out", out}, ExitCode::kUsage,
               HasSubstr("--x-train beside --y-train"));
  expect_error({"idx", "somewhere", "--x-train", "x", "--out", out}, ExitCode::kUsage,
               HasSubstr("got both"));
  expect_error({"csv", "--train", "t.csv", "--out", out}, ExitCode::kUsage, HasSubstr("--label"));
  expect_error({"csv", "--train", "t", "--label", "0", "--test-split", "1.5", "--out", out},
               ExitCode::kUsage, HasSubstr("1.5"));
  expect_error(
      {"csv", "--train", "t", "--label", "0", "--test-split", "0.5", "--test", "u", "--out", out},
      ExitCode::kUsage, HasSubstr("got both"));
}

TEST_F(Import, ReplacesAFileOnlyIfAsked) {
  write("o.h5", "precious");
  const std::vector<std::string> arguments = {"synthetic", "--rows", "5",         "--test-rows",
                                              "0",         "--out",  path("o.h5")};
  expect_error(arguments, ExitCode::kCannotCreate, HasSubstr("--overwrite"));
  EXPECT_EQ(std::filesystem::file_size(path("o.h5")), 8U);

  std::vector<std::string> forced = arguments;
  forced.push_back("--overwrite");
  EXPECT_EQ(run(forced), ExitCode::kDone);
  EXPECT_EQ(DatasetFile(path("o.h5"), "x_train").rows(), 5);
}

TEST_F(Import, RefusesAPlaceThatIsNotThere) {
  expect_error({"synthetic", "--out", path("no/o.h5")}, ExitCode::kCannotCreate, HasSubstr("/no"));
  expect_error({"synthetic", "--out", directory_.string(), "--overwrite"}, ExitCode::kCannotCreate,
               HasSubstr("directory"));
}

TEST_F(Import, NamesTheMissingFileOfMnistsFour) {
  write("train-images-idx3-ubyte", "");
  expect_error({"idx", directory_.string(), "--out", path("o.h5")}, ExitCode::kMissingInput,
               HasSubstr("train-labels-idx1-ubyte"));
  expect_error({"idx", path("nowhere"), "--out", path("o.h5")}, ExitCode::kMissingInput,
               HasSubstr("nowhere"));
}

TEST_F(Import, ContinuesTheSyntheticRowsInTheTestSet) {
  ASSERT_EQ(
      run({"synthetic", "--rows", "7", "--test-rows", "3", "--seed", "5", "--out", path("o.h5")}),
      ExitCode::kDone);
  const Glyphs all = synthetic_glyphs(10, 5);
  const DatasetFile test(path("o.h5"), "x_test");
  EXPECT_EQ(test.rows(), 3);
  EXPECT_THAT(test.row_shape(), ElementsAre(28, 28));
  std::vector<std::byte> bytes(3 * test.row_bytes());
  test.read(0, 3, bytes);
  EXPECT_EQ(0, std::memcmp(bytes.data(), all.x.view().row(7), bytes.size()));
}

TEST_F(Import, CutsTheLastRowsOffATable) {
  write("t.csv", "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,10,1\n");
  ASSERT_EQ(run({"csv", "--train", path("t.csv"), "--label", "y", "--test-split-last", "0.4",
                 "--out", path("o.h5")}),
            ExitCode::kDone);
  EXPECT_THAT(labels("o.h5", "y_train"), ElementsAre(0, 1, 0));
  EXPECT_THAT(labels("o.h5", "y_test"), ElementsAre(1, 1));
  const DatasetFile x(path("o.h5"), "x_test");
  std::vector<float> row(2);
  x.read(1, 1, std::as_writable_bytes(std::span(row)));
  EXPECT_THAT(row, ElementsAre(9, 10));
}

TEST_F(Import, GivesWordsTheSameClassesInBothTables) {
  write("t.csv", "x,y\n1,ape\n2,bee\n3,cat\n");
  write("u.csv", "x,y\n4,cat\n5,bee\n");
  ASSERT_EQ(run({"csv", "--train", path("t.csv"), "--test", path("u.csv"), "--label", "y", "--out",
                 path("o.h5")}),
            ExitCode::kDone);
  EXPECT_THAT(labels("o.h5", "y_test"), ElementsAre(2, 1));

  write("v.csv", "x,y\n4,dog\n");
  expect_error({"csv", "--train", path("t.csv"), "--test", path("v.csv"), "--label", "y", "--out",
                path("p.h5")},
               ExitCode::kBadData, AllOf(HasSubstr("v.csv"), HasSubstr("'dog'")));
}

TEST_F(Import, RefusesATestTableOfOtherColumns) {
  write("t.csv", "x,y\n1,0\n2,1\n");
  write("u.csv", "x,z,y\n1,2,0\n");
  expect_error({"csv", "--train", path("t.csv"), "--test", path("u.csv"), "--label", "y", "--out",
                path("o.h5")},
               ExitCode::kBadData, HasSubstr("u.csv"));
  EXPECT_FALSE(std::filesystem::exists(path("o.h5")));
}

}  // namespace
}  // namespace lockstep
