#include "src/graph/block_size.hpp"

#include <unistd.h>

namespace lockstep {

std::int64_t choose_block_grains(const Graph& graph, const Aim& aim, std::size_t ops,
                                 std::int64_t grain_rows, std::int64_t grains,
                                 std::int64_t cache_bytes) {
  std::int64_t of_row = 0;  // floats that stay from forward to backward, and their gradients
  std::int64_t parameters = 0;
  const std::vector<bool> runs = aim.runs(graph);
  for (std::size_t op = 0; op < ops; ++op) {
    if (!runs[op]) continue;
    const Graph::Step& step = graph.steps()[op];
    of_row += 2 * element_count(graph.shape(step.output)) + step.op->needs().kept_per_row;
    for (const Parameter* parameter : step.op->parameters())
      parameters += element_count(parameter->shape);
  }
  const auto bytes = [&](std::int64_t some_grains) {
    return some_grains * grain_rows * of_row * static_cast<std::int64_t>(sizeof(float));
  };
  if (bytes(grains) <= cache_bytes) return 0;
  std::int64_t block = 1;
  while (bytes(2 * block) <= cache_bytes) block *= 2;
  // Parameters are read twice, and their gradients written, for each block.
  const bool pays = 3 * parameters < block * grain_rows * of_row;
  return pays && block < grains ? block : 0;
}

std::int64_t second_level_cache_bytes() {
  constexpr std::int64_t kUsual = std::int64_t{1} << 20;
#ifdef _SC_LEVEL2_CACHE_SIZE
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return kUsual;
}

}  // namespace lockstep
