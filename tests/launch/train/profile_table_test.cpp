#include "launch/train/profile_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

ProfileReport report_of_two_ranks() {
  ProfileReport report{.steps = 100, .phases = {}, .step_seconds = 200e-6};
  report.phases[static_cast<std::size_t>(Phase::kBackward)] = {150e-6, 155e-6, 0};
  report.phases[static_cast<std::size_t>(Phase::kExchange)] = {50e-6, 62.5e-6, 1};
  return report;
}

TEST(ProfileTable, HasALineForEachPhaseAndTheStep) {
  const std::string text = profile_table(report_of_two_ranks(), 2);
  EXPECT_THAT(text,
              testing::StartsWith("where a step's time went, mean of 100 steps on 2 ranks\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n  backward +150\\.0 us +75\\.0 %"));
  EXPECT_THAT(text,
              testing::ContainsRegex("\n  exposed communication +50\\.0 us +25\\.0 %   at most "
                                     "62\\.5 us, on rank 1\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n  step +200\\.0 us\n$"));
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(kPhases) + 2);
}

TEST(ProfileTable, NamesNoRankWhereThereIsOne) {
  const std::string text = profile_table(report_of_two_ranks(), 1);
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("rank")));
}

TEST(ProfileTable, SaysThatThereWasNoStep) {
  EXPECT_EQ(profile_table({}, 1), "no step to profile\n");
}

}  // namespace
}  // namespace lockstep
