#pragma once

#include <cstdint>
#include <string>

#include "launch/train/train_settings.hpp"

namespace lockstep {

/// Replaces --linear-scaling and --warmup-epochs by the learning rate and the schedule that they
/// mean (Goyal et al. 2017, arXiv:1706.02677): the rate of batches of N samples times batch size /
/// N, to which it rises in equal steps. Returns in words what was set; empty without the option.
/// Throws Error (64) for options that it does not go with.
std::string resolve_linear_scaling(TrainSettings& settings, std::int64_t steps_per_epoch);

}  // namespace lockstep
