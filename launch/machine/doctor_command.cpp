#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>

#include "launch/cli/command.hpp"
#include "launch/cli/option_parser.hpp"
#include "launch/cli/screen.hpp"
#include "launch/machine/doctor_checks.hpp"

namespace lockstep {
namespace {

constexpr const char* kHelp = R"(Usage: lockstep doctor [--threads N]
       mpirun -n 4 lockstep doctor

Checks this machine, or the hosts of an allocation, before the queue time is spent: CPU, BLAS,
matrix-product rate, MPI, binding of ranks to cores, shared memory, HDF5 and file locking in the
current directory, memory. Each line says ok, WARN or FAIL, and below it what to do.

Options:
  --threads N              check for so many threads a rank (default 1), as train --threads

Exit code: 0 if nothing FAILs, else 78.
)";

std::string_view word(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kWarn:
      return "WARN";
    case Level::kFail:
      break;
  }
  return "FAIL";
}

void print(const std::vector<Finding>& findings) {
  std::map<Level, int> counts;
  std::string text;
  for (const Finding& finding : findings) {
    ++counts[finding.level];
    text += fmt::format("{:<4}  {:<17}  {}\n", word(finding.level), finding.item, finding.text);
    if (!finding.advice.empty())
      text += fmt::format("{:<4}  {:<17}  -> {}\n", "", "", finding.advice);
  }
  print_now(text + fmt::format("{} ok, {} WARN, {} FAIL\n", counts[Level::kOk],
                               counts[Level::kWarn], counts[Level::kFail]));
}

}  // namespace

ExitCode run_doctor(const CommandContext& context) {
  if (wants_help(context.arguments)) {
    if (context.is_root()) print_now(kHelp);
    return ExitCode::kDone;
  }
  po::options_description options;
  options.add_options()("threads", po::value<int>()->default_value(1));
  const po::variables_map given =
      parse_arguments(context.arguments, options, po::positional_options_description());
  const int threads = given["threads"].as<int>();
  constexpr int kMostThreads = 1024;
  check(threads >= 1 && threads <= kMostThreads, ExitCode::kUsage,
        "[doctor] --threads: expected 1 to {}, got {}", kMostThreads, threads);

  const std::vector<Finding> findings = examine(*context.world, threads);
  if (context.is_root()) print(findings);
  const bool failed = std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.level == Level::kFail; });
  return failed ? ExitCode::kDisagreement : ExitCode::kDone;
}

}  // namespace lockstep
