#pragma once

#include <string>

#include "src/model/network.hpp"

namespace lockstep {

/// Whether a monitored number should fall or rise; auto asks the metric, as in Keras.
enum class Mode { kAuto, kMin, kMax };

/// Whether larger values of this report entry ("val_accuracy") are better. Throws CollectiveError
/// (64) if mode is kAuto and the model reports no such number. The same on every rank.
bool larger_is_better(const Network& model, const std::string& monitor, Mode mode);

/// Whether a number is better than another by more than |min_delta|.
bool improves(double current, double reference, double min_delta, bool larger_is_better);

}  // namespace lockstep
