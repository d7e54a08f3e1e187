#include "distributed/ranks/agreement.hpp"

#include <new>

#include "tests/support/ranks.hpp"

namespace lockstep {
namespace {

using test::expect_collective_error;
using test::world;

TEST(Together, ReturnsWhereNoRankFails) {
  const Communicator communicator = world();
  int runs = 0;
  together(communicator, [&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

TEST(Together, ThrowsTheErrorOfASingleRankOnEveryRank) {
  const Communicator communicator = world();
  for (int failing = 0; failing < communicator.size(); ++failing) {
    std::vector<std::string> words = {"[file] expected one, got none"};
    if (communicator.size() > 1) words.push_back(fmt::format("rank {}: ", failing));
    expect_collective_error(communicator, ExitCode::kMissingInput, words, [&] {
      together(communicator, [&] {
        if (communicator.rank() == failing)
          fail(ExitCode::kMissingInput, "[file] expected one, got none");
      });
    });
  }
}

TEST(Together, SpeaksWithTheVoiceOfTheLowestOfSeveralFailingRanks) {
  const Communicator communicator = world();
  if (communicator.size() < 3) GTEST_SKIP() << "needs three ranks";
  expect_collective_error(communicator, static_cast<ExitCode>(65), {"rank 1: error of rank 1"},
                          [&] {
                            together(communicator, [&] {
                              if (communicator.rank() >= 1)
                                throw Error(static_cast<ExitCode>(64 + communicator.rank()),
                                            fmt::format("error of rank {}", communicator.rank()));
                            });
                          });
}

TEST(Together, NamesNoRankIfAllFail) {
  const Communicator communicator = world();
  std::string message;
  try {
    together(communicator, [] { fail(ExitCode::kPermission, "[open] not allowed"); });
  } catch (const CollectiveError& error) {
    message = error.what();
    EXPECT_EQ(error.code(), ExitCode::kPermission);
  }
  EXPECT_EQ(message, "[open] not allowed");
}

TEST(Together, TakesLackOfMemoryAndOtherExceptionsForErrors) {
  const Communicator communicator = world();
  const bool last = communicator.rank() == communicator.size() - 1;
  expect_collective_error(communicator, ExitCode::kInputOutput, {"memory"}, [&] {
    together(communicator, [&] {
      if (last) throw std::bad_alloc();
    });
  });
  expect_collective_error(communicator, ExitCode::kNumerical, {"surprise"}, [&] {
    together(communicator, [&] {
      if (last) throw std::out_of_range("surprise");
    });
  });
}

TEST(Together, PassesOnMessagesThatAreEmptyOrHaveSeveralLines) {
  const Communicator communicator = world();
  for (const std::string text : {"", "two\nlines", "5 numbers"})
    expect_collective_error(communicator, ExitCode::kBadData, {text}, [&] {
      together(communicator, [&] { throw Error(ExitCode::kBadData, text); });
    });
}

TEST(OnRoot, RunsOnRankZeroOnly) {
  const Communicator communicator = world();
  int runs = 0;
  on_root(communicator, [&] { ++runs; });
  EXPECT_EQ(runs, communicator.is_root() ? 1 : 0);
}

TEST(OnRoot, ThrowsItsErrorOnEveryRank) {
  const Communicator communicator = world();
  expect_collective_error(
      communicator, ExitCode::kCannotCreate, {"[write] expected a directory"}, [&] {
        on_root(communicator,
                [] { fail(ExitCode::kCannotCreate, "[write] expected a directory"); });
      });
  expect_collective_error(communicator, ExitCode::kInputOutput, {"memory"},
                          [&] { on_root(communicator, [] { throw std::bad_alloc(); }); });
}

TEST(CheckCollectively, ThrowsACollectiveErrorUnlessTheConditionHolds) {
  EXPECT_NO_THROW(check_collectively(true, ExitCode::kUsage, "never"));
  try {
    check_collectively(false, ExitCode::kUsage, "expected {}, got {}", 1, 2);
    ADD_FAILURE() << "expected a CollectiveError";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_STREQ(error.what(), "expected 1, got 2");
  }
}

}  // namespace
}  // namespace lockstep
