#pragma once

#include <cstdint>
#include <span>

#include "src/core/matrix.hpp"

namespace lockstep {

/// How a loss wants y: as class indices, or as numbers of the output's shape.
enum class TargetKind { kClasses, kValues };

/// The targets of a batch; one of the two is set. A "position" is one row of the output seen as
/// (positions, K): a sample, or a time step of a sample.
struct Targets {
  std::span<const std::int32_t> classes;  ///< (positions), each in [0, K)
  ConstMatrix values;                     ///< (positions, K)
  std::span<const float> weights = {};    ///< (positions), of the losses; empty: 1

  /// Those of the positions [first, first + count).
  Targets slice(std::int64_t first, std::int64_t count) const {
    const auto part = [&](auto all) {
      return all.empty()
                 ? all
                 : all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    };
    if (values.empty()) return {part(classes), {}, part(weights)};
    return {{}, values.rows_from(first, count), part(weights)};
  }
};

}  // namespace lockstep
