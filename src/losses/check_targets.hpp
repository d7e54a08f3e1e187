#pragma once

#include <string_view>

#include "src/core/error.hpp"
#include "src/core/matrix.hpp"
#include "src/losses/targets.hpp"

namespace lockstep {

/// That the targets are of this kind and fit (positions, K). `where` begins the message (65).
inline void check_targets(std::string_view where, ConstMatrix outputs, const Targets& targets,
                          TargetKind kind) {
  check(outputs.rows == 0 || outputs.columns > 0, ExitCode::kBadData,
        "[{}] expected at least one output, got shape ({}, 0)", where, outputs.rows);
  if (kind == TargetKind::kClasses) {
    check(std::ssize(targets.classes) == outputs.rows, ExitCode::kBadData,
          "[{}] expected a class for each of {} positions, got {}", where, outputs.rows,
          targets.classes.size());
  } else {
    check(targets.values.rows == outputs.rows &&
              (outputs.rows == 0 || targets.values.columns == outputs.columns),
          ExitCode::kBadData, "[{}] expected targets of shape ({}, {}), got ({}, {})", where,
          outputs.rows, outputs.columns, targets.values.rows, targets.values.columns);
  }
}

}  // namespace lockstep
