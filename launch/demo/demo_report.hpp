#pragma once

#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace lockstep {

/// What one training brought; no SHA-256: it failed.
struct DemoRow {
  std::string numerics;  ///< "exact", "fast"
  int ranks = 0;
  double samples_per_second = 0;
  double test_accuracy = 0;
  std::string sha256 = {};  ///< of the weights, 64 hexadecimal digits
};

std::string demo_table_head();
/// Lines of text, moved to the right as they stand below a line of the table.
std::string indented(const std::string& lines);
/// One line of the table, with the verdict that `rows` allow on their last one: exact numerics must
/// give the weights of the first row that did not fail, fast numerics are expected not to.
std::string demo_table_line(const std::vector<DemoRow>& rows);

/// A claim that was put to the test.
struct Proof {
  enum class Outcome { kHeld, kFailed, kNotTried };
  std::string claim;
  Outcome outcome = Outcome::kFailed;
  std::string detail = {};  ///< why it failed or was not tried; what was measured
};

/// That all rows have the same weights.
Proof judge_same_bits(const std::vector<DemoRow>& rows);
/// That the comparison can fail: rows whose weights need not be the same are not. Not tried if they
/// happen to be.
Proof judge_control(const std::vector<DemoRow>& rows);

/// "123,456".
std::string with_commas(double value);
/// "1, 2, 3 and 4".
std::string spoken_list(const std::vector<int>& numbers);

/// "1  held       <claim>" and, on lines below it, the detail.
std::string proof_line(int number, const Proof& proof);
/// "PROOF k of n"; n counts what was tried.
std::string proof_total(const std::vector<Proof>& proofs);
/// 0 if something was tried and all of it held, else 70.
ExitCode proof_exit_code(const std::vector<Proof>& proofs);

/// "1,2,4" as given to --ranks. Throws Error (64) unless it is at least two different numbers from
/// 1 to 64.
std::vector<int> parse_demo_ranks(const std::string& text);

/// Which of these numbers of ranks one is killed on, and which go on. As many as have cores of
/// their own, since the others are slow, and the next larger number, or else the next smaller.
struct KillPlan {
  int killed = 0;
  int resumed = 0;
};
KillPlan plan_kill(std::vector<int> ranks, int cores);

/// The number behind "test accuracy " in what lockstep train printed; throws Error (65) without
/// one.
double test_accuracy_in(const std::string& output);

}  // namespace lockstep
