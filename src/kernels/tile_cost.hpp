#pragma once

#include <cstdint>

namespace lockstep {

inline std::int64_t parts_of(std::int64_t extent, std::int64_t largest) {
  return (extent + largest - 1) / largest;
}

/// About the cycles that a term of the chains takes in tiles that cover `extent` rows and
/// `all_vectors` vectors.
std::int64_t tiles_cost(std::int64_t extent, std::int64_t most_rows, std::int64_t all_vectors,
                        std::int64_t most_vectors);

}  // namespace lockstep
