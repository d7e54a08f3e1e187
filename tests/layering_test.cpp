#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace lockstep {
namespace {

const std::vector<std::string> kFolders = {"src", "io", "distributed", "launch"};  // lowest first

struct Include {
  std::string folder;  ///< of the file
  std::string file;
  std::string name;  ///< as it stands between <> or ""
};

/// All #include lines of the four folders.
std::vector<Include> all_includes() {
  const std::filesystem::path root = LOCKSTEP_SOURCE_DIR;
  const std::regex pattern(R"(\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  const std::set<std::string> endings = {".hpp", ".cpp", ".inc", ".h", ".c"};
  std::vector<Include> includes;
  for (const std::string& folder : kFolders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (!endings.contains(entry.path().extension().string())) continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (std::regex_match(line, match, pattern))
          includes.push_back({folder, entry.path().lexically_relative(root).string(), match[1]});
      }
    }
  }
  return includes;
}

std::set<std::string> files_that_include(const std::string& name) {
  std::set<std::string> files;
  for (const Include& include : all_includes())
    if (include.name == name) files.insert(include.file);
  return files;
}

TEST(Layering, IsSeenAtAll) {
  EXPECT_GT(all_includes().size(), 100u);
}

TEST(Layering, KeepsMpiInAtMostFourFilesOfDistributed) {
  const auto files = files_that_include("mpi.h");
  EXPECT_THAT(files, testing::SizeIs(testing::AllOf(testing::Ge(1), testing::Le(4))));
  EXPECT_THAT(files, testing::Each(testing::StartsWith("distributed/")));
}

TEST(Layering, KeepsHdf5InAtMostTwoFilesOfIo) {
  const auto files = files_that_include("hdf5.h");
  EXPECT_THAT(files, testing::SizeIs(testing::AllOf(testing::Ge(1), testing::Le(2))));
  EXPECT_THAT(files, testing::Each(testing::StartsWith("io/")));
}

TEST(Layering, KeepsBlasInOneFile) {
  const auto files = files_that_include("cblas.h");
  EXPECT_THAT(files, testing::SizeIs(1));
  EXPECT_THAT(files, testing::Each(testing::StartsWith("src/")));
}

TEST(Layering, PointsFromEachFolderToLowerOnesOnly) {
  const auto level = [](const std::string& folder) {
    return std::ranges::find(kFolders, folder) - kFolders.begin();
  };
  for (const Include& include : all_includes()) {
    const std::string target = include.name.substr(0, include.name.find('/'));
    EXPECT_NE(target, "tests") << include.file << " includes " << include.name;
    if (std::ranges::find(kFolders, target) == kFolders.end()) continue;
    EXPECT_LE(level(target), level(include.folder)) << include.file << " includes " << include.name;
  }
}

TEST(Layering, IncludesOwnFilesFromTheProjectRoot) {
  const std::filesystem::path root = LOCKSTEP_SOURCE_DIR;
  for (const Include& include : all_includes())
    if (include.name.ends_with(".hpp") && include.name.find('/') == std::string::npos)
      ADD_FAILURE() << include.file << " includes " << include.name;
}

}  // namespace
}  // namespace lockstep
