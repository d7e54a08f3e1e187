#include "launch/train/profile_table.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::array<const char*, kPhases> kNames = {
    "rows from the dataset", "forward",         "losses and metrics",    "backward",
    "weight gradients",      "sums and update", "exposed communication", "everything else",
};

}  // namespace

std::string profile_table(const ProfileReport& report, int ranks) {
  if (report.steps == 0) return "no step to profile\n";
  constexpr double kMicro = 1e6;
  std::string text = ranks == 1
                         ? fmt::format("where a step's time went, mean of {} steps\n", report.steps)
                         : fmt::format("where a step's time went, mean of {} steps on {} ranks\n",
                                       report.steps, ranks);
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    const ProfileReport::Line& line = report.phases[phase];
    text += fmt::format("  {:<24}{:>12.1f} us{:>7.1f} %", kNames[phase], kMicro * line.mean,
                        100 * line.mean / report.step_seconds);
    if (ranks > 1)
      text +=
          fmt::format("   at most {:.1f} us, on rank {}", kMicro * line.longest, line.slowest_rank);
    text += '\n';
  }
  return text + fmt::format("  {:<24}{:>12.1f} us\n", "step", kMicro * report.step_seconds);
}

}  // namespace lockstep
