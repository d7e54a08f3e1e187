#pragma once

#include <cstddef>
#include <cstdint>

#include "src/graph/aim.hpp"

namespace lockstep {

/// How many of a rank's grains go through the first `ops` of a graph, those of them that run,
/// together, forward and backward, before the next ones: a power of two, or 0 for all. Blocks keep
/// what a pass touches of its rows in the second-level cache, but read the parameters once for each
/// block: so they pay where a block has more numbers than the parameters. Results do not depend on
/// it. A pure function.
std::int64_t choose_block_grains(const Graph& graph, const Aim& aim, std::size_t ops,
                                 std::int64_t grain_rows, std::int64_t grains,
                                 std::int64_t cache_bytes);

/// Of this CPU's core; 1 MiB where the system does not tell.
std::int64_t second_level_cache_bytes();

}  // namespace lockstep
