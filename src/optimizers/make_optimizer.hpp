#pragma once

#include "src/optimizers/optimizer.hpp"
#include "src/optimizers/setting.hpp"

namespace lockstep {

/// Everything that is known of an optimizer class.
struct KnownOptimizer : Choosable {
  double learning_rate;  ///< Keras's default
  /// With the settings that the config has; see KerasConfig for those that are wrong.
  std::unique_ptr<Optimizer> (*make)(std::unique_ptr<Schedule> schedule, KerasConfig& config);
};
const std::vector<KnownOptimizer>& known_optimizers();

}  // namespace lockstep
