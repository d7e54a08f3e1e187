#pragma once

#include <cstdint>
#include <span>

namespace lockstep {

/// How the next token is drawn.
struct Sampling {
  double temperature = 1;  ///< probabilities p^(1/temperature), normalised; 0: the likeliest token
  std::int64_t top_k = 0;  ///< only of the likeliest so many (of equals the lowest); 0: of all
};

/// The number of the next token, `first` or above. `outputs`: of the network at one position, the
/// probabilities or the logits of all numbers; `chance`: a number in [0, 1). The same on every
/// machine: exponentials and logarithms are our own, sums run in the order of the numbers. Throws
/// Error (70) for outputs that are not finite or leave no token a chance.
std::int64_t next_token(std::span<const float> outputs, bool probabilities, std::int64_t first,
                        const Sampling& sampling, double chance);

}  // namespace lockstep
