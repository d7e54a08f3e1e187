#include "launch/demo/demo_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>
#include <sstream>

#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kShownDigits = 16;

bool failed(const DemoRow& row) {
  return row.sha256.empty();
}

std::string verdict_on_last(const std::vector<DemoRow>& rows) {
  const DemoRow& last = rows.back();
  if (failed(last)) return "FAILED";
  const auto first = std::ranges::find_if_not(rows, failed);
  if (&*first == &last) return "reference";
  const bool same = last.sha256 == first->sha256;
  if (last.numerics == "exact") return same ? "identical" : "DIFFERENT";
  return same ? "the same here" : "differs, as expected";
}

std::set<std::string> different_weights(const std::vector<DemoRow>& rows) {
  std::set<std::string> found;
  for (const DemoRow& row : rows) found.insert(row.sha256);
  return found;
}

std::vector<int> ranks_of(const std::vector<DemoRow>& rows) {
  std::vector<int> ranks;
  for (const DemoRow& row : rows) ranks.push_back(row.ranks);
  return ranks;
}

}  // namespace

std::string demo_table_head() {
  return fmt::format("{:<8}  {:>5}  {:>9}  {:>13}  {:<18}  {}\n", "numerics", "ranks", "samples/s",
                     "test accuracy", "SHA-256 of weights", "verdict");
}

std::string indented(const std::string& lines) {
  std::string text;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) text += std::string(14, ' ') + line + "\n";
  return text;
}

std::string demo_table_line(const std::vector<DemoRow>& rows) {
  const DemoRow& row = rows.back();
  const bool blank = failed(row);
  return fmt::format("{:<8}  {:>5}  {:>9}  {:>13}  {:<18}  {}\n", row.numerics, row.ranks,
                     blank ? "-" : with_commas(row.samples_per_second),
                     blank ? "-" : fmt::format("{:.4f}", row.test_accuracy),
                     blank ? "-" : row.sha256.substr(0, kShownDigits), verdict_on_last(rows));
}

Proof judge_same_bits(const std::vector<DemoRow>& rows) {
  Proof proof{
      fmt::format("the same weights, bit for bit, on {} ranks", spoken_list(ranks_of(rows))),
      Proof::Outcome::kFailed,
      {}};
  const std::size_t kinds = different_weights(rows).size();
  if (std::ranges::any_of(rows, failed)) {
    proof.detail = "a training failed";
  } else if (kinds != 1) {
    proof.detail = fmt::format("{} different results", kinds);
  } else if (rows.size() < 2) {
    proof.detail = "nothing to compare";
  } else {
    proof.outcome = Proof::Outcome::kHeld;
  }
  return proof;
}

Proof judge_control(const std::vector<DemoRow>& rows) {
  Proof proof{
      "this comparison can fail: --numerics fast gives other weights", Proof::Outcome::kFailed, {}};
  const std::size_t kinds = different_weights(rows).size();
  if (std::ranges::any_of(rows, failed)) {
    proof.detail = "a training failed";
  } else if (kinds < 2) {
    proof.outcome = Proof::Outcome::kNotTried;
    proof.detail = "all of them happened to be equal this time, which proves nothing";
  } else {
    proof.outcome = Proof::Outcome::kHeld;
    proof.detail = fmt::format("{} different results in {} runs", kinds, rows.size());
  }
  return proof;
}

std::string with_commas(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<std::size_t>(place), ",");
  }
  return digits;
}

std::string spoken_list(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) text += i + 1 == numbers.size() ? " and " : ", ";
    text += std::to_string(numbers[i]);
  }
  return text;
}

std::string proof_line(int number, const Proof& proof) {
  const auto word = [&] {
    switch (proof.outcome) {
      case Proof::Outcome::kHeld:
        return "held";
      case Proof::Outcome::kNotTried:
        return "not tried";
      case Proof::Outcome::kFailed:
        break;
    }
    return "FAILED";
  };
  const std::string detail = proof.detail.empty() ? "" : indented(proof.detail);
  return fmt::format("{}  {:<9}  {}\n{}", number, word(), proof.claim, detail);
}

std::string proof_total(const std::vector<Proof>& proofs) {
  const auto held = std::ranges::count(proofs, Proof::Outcome::kHeld, &Proof::outcome);
  const auto skipped = std::ranges::count(proofs, Proof::Outcome::kNotTried, &Proof::outcome);
  return fmt::format("PROOF {} of {}\n", held, std::ssize(proofs) - skipped);
}

ExitCode proof_exit_code(const std::vector<Proof>& proofs) {
  const bool any_held = std::ranges::count(proofs, Proof::Outcome::kHeld, &Proof::outcome) > 0;
  const bool any_failed = std::ranges::count(proofs, Proof::Outcome::kFailed, &Proof::outcome) > 0;
  return any_held && !any_failed ? ExitCode::kDone : ExitCode::kNumerical;
}

std::vector<int> parse_demo_ranks(const std::string& text) {
  constexpr int kMost = 64;
  const auto refuse = [&] {
    fail(ExitCode::kUsage,
         "[options] --ranks: expected two or more different numbers from 1 to {}, such as 1,2,4, "
         "got '{}'",
         kMost, printable(text));
  };
  std::vector<int> ranks;
  std::istringstream items(text + ",");
  for (std::string item; std::getline(items, item, ',');) {
    int number = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), number);
    const bool whole = error == std::errc() && end == item.data() + item.size();
    if (!whole || number < 1 || number > kMost || std::ranges::count(ranks, number) > 0) refuse();
    ranks.push_back(number);
  }
  if (ranks.size() < 2) refuse();
  return ranks;
}

KillPlan plan_kill(std::vector<int> ranks, int cores) {
  std::ranges::sort(ranks);
  const auto fitting = std::ranges::count_if(ranks, [&](int count) { return count <= cores; });
  const auto last = std::ssize(ranks) - 1;
  const auto killed = std::max<std::ptrdiff_t>(fitting - 1, 0);
  const auto resumed = killed < last ? killed + 1 : killed - 1;
  return {ranks[static_cast<std::size_t>(killed)], ranks[static_cast<std::size_t>(resumed)]};
}

double test_accuracy_in(const std::string& output) {
  constexpr std::string_view kWords = "test accuracy ";
  const std::size_t place = output.rfind(kWords);
  char* end = nullptr;
  const char* begin = place == std::string::npos ? "" : output.c_str() + place + kWords.size();
  const double value = std::strtod(begin, &end);
  check(end != begin, ExitCode::kBadData, "[demo] expected a test accuracy from lockstep train");
  return value;
}

}  // namespace lockstep
