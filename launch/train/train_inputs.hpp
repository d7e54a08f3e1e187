#pragma once

#include "launch/train/train_settings.hpp"

namespace lockstep {

/// That no file that the run reads (data, network) is one that it writes or removes in its run
/// directory, under whatever name. Before anything is touched. Throws Error (73).
void check_inputs_stay(const TrainSettings& settings);

}  // namespace lockstep
