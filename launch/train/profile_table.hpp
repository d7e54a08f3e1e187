#pragma once

#include <string>

#include "distributed/update/step_profile.hpp"

namespace lockstep {

/// What `--profile` prints: a line for each phase of a step, in the order of a step.
std::string profile_table(const ProfileReport& report, int ranks);

}  // namespace lockstep
