#pragma once

#include <vector>

#include "distributed/training/option_field.hpp"
#include "launch/train/train_settings.hpp"

namespace lockstep {

using TrainField = OptionField<TrainSettings>;

/// In the order of help and config.cfg.
const std::vector<TrainField>& train_fields();

}  // namespace lockstep
