#include "distributed/update/bucket.hpp"

#include <algorithm>
#include <limits>

#include "src/core/range.hpp"

namespace lockstep {

std::vector<Bucket> plan_buckets(const GradientPlan& gradients, std::int64_t trained_floats,
                                 std::int64_t bucket_floats) {
  std::vector<Bucket> buckets;
  constexpr std::size_t kNoOp = std::numeric_limits<std::size_t>::max();
  Bucket current{{trained_floats, trained_floats}, kNoOp};
  for (auto trained = gradients.parameters.rbegin(); trained != gradients.parameters.rend();
       ++trained) {
    const std::int64_t first = trained->parameter->offset;
    if (current.floats.count() > 0 && current.floats.last - first > bucket_floats) {
      buckets.push_back(current);
      current = {{current.floats.first, current.floats.first}, kNoOp};
    }
    current.floats.first = first;
    current.last_op = std::min(current.last_op, trained->uses.front().op);
  }
  if (current.last_op == kNoOp) current.last_op = 0;
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
  return static_cast<int>(bucket % 32766) + 2;
}

std::span<float> part_of(std::span<float> floats, std::int64_t first, std::int64_t count) {
  return floats.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

}  // namespace lockstep
