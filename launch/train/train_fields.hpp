#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launch/train/train_options.hpp"

namespace lockstep {

/// One option of `train`: the single place that knows its name, range, help and text form.
struct TrainField {
  enum class Use {
    kResult,   ///< shapes the results: a run is resumed with the same value only
    kInput,    ///< as kResult, but the name of a file, which may be spelled in another way: what is
               ///< in it counts
    kRun,      ///< another value leads to the same results
    kThisCall  ///< as kRun; never written to config.cfg
  };

  std::string name;
  std::string group;     ///< heading in the help
  std::string argument;  ///< "N"; empty: a switch
  std::string help;
  Use use = Use::kRun;
  /// Sets it from text; throws Error (64) that says what was expected.
  std::function<void(TrainSettings&, const std::string& text)> read;
  /// Its text; none if it is not set.
  std::function<std::optional<std::string>(const TrainSettings&)> write;
};

/// In the order of help and config.cfg.
const std::vector<TrainField>& train_fields();

}  // namespace lockstep
