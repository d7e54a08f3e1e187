#include "launch/demo/demo_report.hpp"

#include <algorithm>

#include "tests/launch/error_expectation.hpp"

namespace lockstep {
namespace {

using Outcome = Proof::Outcome;

DemoRow row(int ranks, const std::string& sha256, const std::string& numerics = "exact") {
  return {numerics, ranks, 123456.4, 0.875, sha256};
}
const std::string kThese(64, 'a');
const std::string kThose = std::string(63, 'a') + "b";  // other weights, alike where they are shown

TEST(DemoTable, HasItsColumnsUnderTheirHeads) {
  const std::string head = demo_table_head();
  const std::string line = demo_table_line({row(2, kThese)});
  EXPECT_EQ(line, "exact         2    123,456         0.8750  aaaaaaaaaaaaaaaa    reference\n");
  EXPECT_EQ(head.find("verdict"), line.find("reference"));
  EXPECT_EQ(head.find("samples/s") + 9, line.find("123,456") + 7);
  EXPECT_EQ(head.find("SHA-256"), line.find("aaaa"));
}

TEST(DemoTable, TellsEveryDigitOfTheHash) {
  EXPECT_NE(demo_table_line({row(1, kThese), row(2, kThese)}).find(" identical\n"),
            std::string::npos);
  EXPECT_NE(demo_table_line({row(1, kThese), row(2, kThose)}).find(" DIFFERENT\n"),
            std::string::npos);
}

TEST(DemoTable, ExpectsFastNumericsToDiffer) {
  EXPECT_NE(demo_table_line({row(1, kThese, "fast"), row(2, kThose, "fast")})
                .find(" differs, as expected\n"),
            std::string::npos);
  EXPECT_NE(
      demo_table_line({row(1, kThese, "fast"), row(2, kThese, "fast")}).find(" the same here\n"),
      std::string::npos);
}

TEST(DemoTable, ComparesWithTheFirstThatDidNotFail) {
  EXPECT_NE(demo_table_line({row(1, "")}).find(" FAILED\n"), std::string::npos);
  EXPECT_NE(demo_table_line({row(1, ""), row(2, kThese)}).find(" reference\n"), std::string::npos);
  EXPECT_NE(demo_table_line({row(1, ""), row(2, kThese), row(3, kThose)}).find(" DIFFERENT\n"),
            std::string::npos);
}

TEST(DemoProof, OfTheSameBitsHoldsForEqualWeightsOnly) {
  EXPECT_EQ(judge_same_bits({row(1, kThese), row(2, kThese)}).outcome, Outcome::kHeld);
  const Proof different = judge_same_bits({row(1, kThese), row(2, kThese), row(4, kThose)});
  EXPECT_EQ(different.outcome, Outcome::kFailed);
  EXPECT_EQ(different.detail, "2 different results");
  EXPECT_EQ(judge_same_bits({row(1, kThese), row(2, "")}).outcome, Outcome::kFailed);
  EXPECT_EQ(judge_same_bits({row(1, ""), row(2, "")}).outcome, Outcome::kFailed);
  EXPECT_EQ(judge_same_bits({row(1, kThese)}).outcome, Outcome::kFailed);
}

TEST(DemoProof, OfTheControlDoesNotCountIfAllAreEqual) {
  EXPECT_EQ(judge_control({row(1, kThese), row(2, kThose)}).outcome, Outcome::kHeld);
  EXPECT_EQ(judge_control({row(1, kThese), row(2, kThese)}).outcome, Outcome::kNotTried);
  EXPECT_EQ(judge_control({row(1, kThese), row(2, "")}).outcome, Outcome::kFailed);
}

TEST(DemoProof, IsOneLineAndItsDetail) {
  EXPECT_EQ(proof_line(1, {"this", Outcome::kHeld, ""}), "1  held       this\n");
  EXPECT_EQ(proof_line(2, {"that", Outcome::kNotTried, "no time"}),
            "2  not tried  that\n              no time\n");
  EXPECT_EQ(proof_line(3, {"that", Outcome::kFailed, "one\n  two"}),
            "3  FAILED     that\n              one\n                two\n");
}

TEST(DemoProof, CountsWhatWasTried) {
  const Proof held{"", Outcome::kHeld, ""}, failed{"", Outcome::kFailed, ""},
      not_tried{"", Outcome::kNotTried, ""};
  EXPECT_EQ(proof_total({held, held, not_tried}), "PROOF 2 of 2\n");
  EXPECT_EQ(proof_exit_code({held, held, not_tried}), ExitCode::kDone);
  EXPECT_EQ(proof_total({held, failed, not_tried}), "PROOF 1 of 2\n");
  EXPECT_EQ(proof_exit_code({held, failed, not_tried}), ExitCode::kNumerical);
  EXPECT_EQ(proof_exit_code({not_tried}), ExitCode::kNumerical);
}

TEST(DemoRanks, AreTwoOrMoreDifferentNumbers) {
  EXPECT_EQ(parse_demo_ranks("1,2,3,4"), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(parse_demo_ranks("4,1"), (std::vector<int>{4, 1}));
  for (const char* text :
       {"", "2", "1,1", "1,", ",1", "1,,2", "0,1", "1,65", "1,-2", "1 2", "1,2x"}) {
    expect_error(
        ExitCode::kUsage, [&] { parse_demo_ranks(text); }, "--ranks", "1,2,4");
  }
}

TEST(DemoRanks, AreSpoken) {
  EXPECT_EQ(spoken_list({1}), "1");
  EXPECT_EQ(spoken_list({1, 2}), "1 and 2");
  EXPECT_EQ(spoken_list({1, 2, 3}), "1, 2 and 3");
}

TEST(DemoRanks, ToKillHaveCoresOfTheirOwnAndOthersGoOn) {
  const auto plan = [](const std::vector<int>& ranks, int cores) {
    const KillPlan plan = plan_kill(ranks, cores);
    return std::pair(plan.killed, plan.resumed);
  };
  EXPECT_EQ(plan({1, 2, 3, 4}, 2), std::pair(2, 3));
  EXPECT_EQ(plan({1, 2, 3, 4}, 8), std::pair(4, 3));
  EXPECT_EQ(plan({4, 1}, 2), std::pair(1, 4));
  EXPECT_EQ(plan({3, 2}, 1), std::pair(2, 3));
}

TEST(DemoAccuracy, IsReadFromWhatTrainPrints) {
  EXPECT_EQ(test_accuracy_in("Epoch 1/1 - accuracy: 0.3\ntest loss 0.2, test accuracy 0.8750\nx"),
            0.875);
  EXPECT_EQ(test_accuracy_in("test accuracy 1.0000e-03\n"), 0.001);
  expect_error(
      ExitCode::kBadData, [] { test_accuracy_in("accuracy: 0.5"); }, "test accuracy");
}

}  // namespace
}  // namespace lockstep
