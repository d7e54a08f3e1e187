#pragma once

#include <cstdint>
#include <span>

namespace lockstep {

/// What any rank may ask of all, as bits: their OR is known on every rank after each step, so all
/// act at the same step.
using Requests = std::uint32_t;
inline constexpr Requests kStopRequest = 1;  ///< end the epoch, and training with it

/// Requests travel between hosts and ranks as numbers beside the sums.
inline Requests any_of(std::span<const double> words) {
  Requests all = 0;
  for (const double word : words) all |= static_cast<Requests>(word);
  return all;
}

}  // namespace lockstep
