#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace lockstep {
namespace {

const std::vector<std::string> kFolders = {"src", "io", "distributed", "launch"};  // lowest first
const std::set<std::string> kSourceEndings = {".hpp", ".cpp", ".inc", ".h", ".c"};

struct Include {
  std::string folder;  ///< of the file
  std::string file;
  std::string name;  ///< as it stands between <> or ""
};

/// All #include lines of the four folders.
std::vector<Include> all_includes() {
  const std::filesystem::path root = LOCKSTEP_SOURCE_DIR;
  const std::regex pattern(R"(\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  std::vector<Include> includes;
  for (const std::string& folder : kFolders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (!kSourceEndings.contains(entry.path().extension().string())) continue;
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

/// Which folders the files of each folder include files of; "src/core" and "src" are two folders.
std::map<std::string, std::set<std::string>> folder_arrows() {
  std::map<std::string, std::set<std::string>> arrows;
  for (const Include& include : all_includes()) {
    const std::string from = std::filesystem::path(include.file).parent_path().string();
    const std::string to = std::filesystem::path(include.name).parent_path().string();
    const bool ours = std::ranges::find(kFolders, to.substr(0, to.find('/'))) != kFolders.end();
    if (ours && from != to) arrows[from].insert(to);
  }
  return arrows;
}

/// The folders on a way from `folder` back to itself; empty if there is none.
std::vector<std::string> circle_through(
    const std::string& folder, const std::map<std::string, std::set<std::string>>& arrows) {
  std::set<std::string> seen;
  std::vector<std::string> way;
  const std::function<bool(const std::string&)> leads_back = [&](const std::string& at) {
    way.push_back(at);
    if (const auto targets = arrows.find(at); targets != arrows.end())
      for (const std::string& to : targets->second)
        if (to == folder || (seen.insert(to).second && leads_back(to))) return true;
    way.pop_back();
    return false;
  };
  leads_back(folder);
  return way;
}

TEST(Layering, FindsACircleOfFolders) {
  EXPECT_THAT(circle_through("a", {{"a", {"b", "c"}}, {"b", {"d"}}, {"c", {"d", "a"}}}),
              testing::ElementsAre("a", "c"));
  EXPECT_THAT(circle_through("a", {{"a", {"b"}}, {"b", {"c"}}, {"c", {"b"}}}), testing::IsEmpty());
}

TEST(Layering, HasNoCircleOfFolders) {
  const auto arrows = folder_arrows();
  EXPECT_GT(arrows.size(), 15u);
  for (const auto& [folder, targets] : arrows)
    EXPECT_THAT(circle_through(folder, arrows), testing::IsEmpty());
}

TEST(Layering, IncludesOwnFilesFromTheProjectRoot) {
  const std::filesystem::path root = LOCKSTEP_SOURCE_DIR;
  for (const Include& include : all_includes())
    if (include.name.ends_with(".hpp") && include.name.find('/') == std::string::npos)
      ADD_FAILURE() << include.file << " includes " << include.name;
}

/// Calls in `text` of libm's functions whose last bits differ by CPU and version.
std::vector<std::string> libm_calls(const std::string& text) {
  static const std::string kNames =
      "(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sincos|asin|acos|atan|atan2|sinh|"
      "cosh|tanh|asinh|acosh|atanh|erf|erfc|tgamma|lgamma|cbrt|hypot)";
  // Named with a qualifier, with or without a call; or called without one.
  static const std::regex qualified("(?:std::|__builtin_|[^\\w]::)" + kNames + "[fl]?\\b");
  static const std::regex bare("(?:^|[^\\w:.>]\\s*)(?:(?:float|double)\\s+)?" + kNames +
                               "[fl]?\\s*\\(");
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find("//"));
    for (std::sregex_iterator match(line.begin(), line.end(), qualified), end; match != end;
         ++match)
      found.push_back(match->str());
    for (std::sregex_iterator match(line.begin(), line.end(), bare), end; match != end; ++match) {
      const std::string call = match->str();
      const bool declared = call.find("float") != call.npos || call.find("double") != call.npos;
      const bool ours = text.find("using elementary::" + match->str(1) + ";") != text.npos;
      if (!declared && !ours) found.push_back(call);
    }
  }
  return found;
}

TEST(Layering, SeesLibmsTranscendentalFunctions) {
  EXPECT_THAT(libm_calls("y = std::exp(x);"), testing::SizeIs(1));
  EXPECT_THAT(libm_calls("transform(x, std::tanh);"), testing::SizeIs(1));
  EXPECT_THAT(libm_calls("y = 2 * powf(x, 3);"), testing::SizeIs(1));
  EXPECT_THAT(libm_calls("log (x)"), testing::SizeIs(1));
  EXPECT_THAT(libm_calls("y = __builtin_erff(x) + ::cos(x);"), testing::SizeIs(2));
  EXPECT_THAT(libm_calls("using elementary::exp;\ny = exp(x) + log(x);"), testing::SizeIs(1));
  EXPECT_THAT(libm_calls("y = elementary::exp(x) + std::sqrt(x);  // not std::exp(x)"),
              testing::IsEmpty());
  EXPECT_THAT(libm_calls("float tanh(float x); z.log(y); p->log(y); catalog(x);"),
              testing::IsEmpty());
}

TEST(Layering, ComputesNothingWithLibmsTranscendentalFunctions) {
  const std::filesystem::path root = LOCKSTEP_SOURCE_DIR;
  for (const std::string& folder : kFolders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (!kSourceEndings.contains(entry.path().extension().string())) continue;
      if (entry.path() == root / "src/core/elementary.hpp") continue;
      std::ifstream file(entry.path());
      const std::string text(std::istreambuf_iterator<char>(file), {});
      for (const std::string& call : libm_calls(text))
        ADD_FAILURE() << entry.path().lexically_relative(root) << " uses '" << call
                      << "', use src/core/elementary.hpp";
    }
  }
}

}  // namespace
}  // namespace lockstep
