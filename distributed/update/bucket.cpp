#include "distributed/update/bucket.hpp"

#include <algorithm>

#include "src/core/range.hpp"

namespace lockstep {

std::vector<Bucket> plan_buckets(const Sequential& model, std::int64_t bucket_floats) {
  std::vector<Bucket> buckets;
  const std::int64_t end = model.arena().trainable_size();
  Bucket current{{end, end}, model.layers().size()};
  for (std::size_t layer = model.layers().size(); layer-- > 0;) {
    const auto& parameters = model.layers()[layer]->parameters();
    if (parameters.empty() || !parameters.front().trainable) continue;
    const std::int64_t first = parameters.front().offset;
    if (current.floats.count() > 0 && current.floats.last - first > bucket_floats) {
      buckets.push_back(current);
      current.floats.last = current.floats.first;
    }
    current.floats.first = first;
    current.last_layer = layer;
  }
  current.last_layer = std::min(current.last_layer, model.layers().size() - 1);
  buckets.push_back(current);
  return buckets;
}

Range shard_of(Range floats, int part, int parts) {
  constexpr std::int64_t kBlock = 256;
  const Range blocks = share((floats.count() + kBlock - 1) / kBlock, part, parts);
  return {std::min(floats.first + blocks.first * kBlock, floats.last),
          std::min(floats.first + blocks.last * kBlock, floats.last)};
}

int tag_of(std::size_t bucket) {
  return static_cast<int>(bucket % 32767) + 1;
}

std::span<float> part_of(std::span<float> floats, std::int64_t first, std::int64_t count) {
  return floats.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

}  // namespace lockstep
