#include "distributed/update/step_profile.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace lockstep {

void StepProfile::start() {
  on_ = true;
  phase_ = Phase::kOther;
  since_ = Clock::now();
}

void StepProfile::pause() {
  enter(Phase::kOther);
  on_ = false;
}

Phase StepProfile::enter(Phase phase) {
  if (heartbeat_) heartbeat_->enter(phase);
  if (!on_) return std::exchange(phase_, phase);
  const Clock::time_point now = Clock::now();
  seconds_[static_cast<std::size_t>(phase_)] += std::chrono::duration<double>(now - since_).count();
  since_ = now;
  return std::exchange(phase_, phase);
}

ProfileReport gather_profiles(const StepProfile& profile, const Communicator& communicator) {
  // A row for each rank, filled by it.
  const auto ranks = static_cast<std::size_t>(communicator.size());
  std::vector<double> seconds(ranks * kPhases);
  std::ranges::copy(profile.seconds(),
                    seconds.begin() + communicator.rank() * static_cast<int>(kPhases));
  communicator.all_sum(std::span(seconds));

  ProfileReport report{.steps = profile.steps(), .phases = {}, .step_seconds = 0};
  const double steps = static_cast<double>(std::max<std::int64_t>(report.steps, 1));
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    ProfileReport::Line& line = report.phases[phase];
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const double mine = seconds[rank * kPhases + phase] / steps;
      line.mean += mine / static_cast<double>(ranks);
      if (mine <= line.longest) continue;
      line.longest = mine;
      line.slowest_rank = static_cast<int>(rank);
    }
    report.step_seconds += line.mean;
  }
  return report;
}

}  // namespace lockstep
