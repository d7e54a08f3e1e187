#include "src/kernels/tile_cost.hpp"

#include <algorithm>

#include "src/core/range.hpp"

namespace lockstep {
namespace {

/// Multiply-adds, loads and latency of one tile, and the loop.
std::int64_t tile_cost(std::int64_t rows, std::int64_t vectors) {
  return std::max({rows * vectors, rows + vectors, std::int64_t{8}}) + 1;
}

}  // namespace

std::int64_t tiles_cost(std::int64_t extent, std::int64_t most_rows, std::int64_t all_vectors,
                        std::int64_t most_vectors) {
  const std::int64_t tiles = parts_of(extent, most_rows);
  const std::int64_t panels = parts_of(all_vectors, most_vectors);
  std::int64_t cost = 0;
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const std::int64_t vectors = share(all_vectors, panel, panels).count();
    const std::int64_t larger = extent % tiles;
    cost += larger * tile_cost(extent / tiles + 1, vectors) +
            (tiles - larger) * tile_cost(extent / tiles, vectors);
  }
  return cost;
}

}  // namespace lockstep
