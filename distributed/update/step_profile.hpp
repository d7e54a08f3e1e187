#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "distributed/ranks/communicator.hpp"
#include "distributed/update/heartbeat.hpp"

namespace lockstep {

/// Where the time of training steps goes: a stopwatch that is always in one phase. Off, it costs a
/// branch; on, 20 ns for each change of phase. Either way it tells the heartbeat.
class StepProfile {
 public:
  /// To be told of every phase; outlives the profile or is null.
  void set_heartbeat(Heartbeat* heartbeat) { heartbeat_ = heartbeat; }
  /// Time counts for kOther, until pause().
  void start();
  void pause();
  /// From now on time counts for `phase`. Returns the phase before.
  Phase enter(Phase phase);
  void count_step() { steps_ += on_ ? 1 : 0; }

  std::int64_t steps() const { return steps_; }
  /// Of all steps, by phase.
  const std::array<double, kPhases>& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;

  Heartbeat* heartbeat_ = nullptr;
  bool on_ = false;
  Phase phase_ = Phase::kOther;
  Clock::time_point since_;
  std::array<double, kPhases> seconds_ = {};
  std::int64_t steps_ = 0;
};

/// Counts time for a phase as long as it lives, then for the one before.
class InPhase {
 public:
  /// `profile` may be null.
  InPhase(StepProfile* profile, Phase phase)
      : profile_(profile), before_(profile ? profile->enter(phase) : Phase::kOther) {}
  ~InPhase() {
    if (profile_) profile_->enter(before_);
  }
  InPhase(const InPhase&) = delete;
  InPhase& operator=(const InPhase&) = delete;

 private:
  StepProfile* profile_;
  Phase before_;
};

/// The profiles of all ranks.
struct ProfileReport {
  struct Line {
    double mean = 0;     ///< seconds a step, of all ranks
    double longest = 0;  ///< of the slowest rank
    int slowest_rank = 0;
  };
  std::int64_t steps = 0;
  std::array<Line, kPhases> phases;
  double step_seconds = 0;  ///< mean over ranks
};

/// The same on every rank. Collective.
ProfileReport gather_profiles(const StepProfile& profile, const Communicator& communicator);

}  // namespace lockstep
