#include "distributed/update/bucket.hpp"

#include <algorithm>

#include "src/core/float_buffer.hpp"
#include "src/core/range.hpp"

namespace lockstep {

std::vector<Bucket> plan_buckets(const GradientPlan& gradients, std::int64_t bucket_floats) {
  std::vector<Bucket> buckets;
  for (auto trained = gradients.parameters.rbegin(); trained != gradients.parameters.rend();
       ++trained) {
    if (trained->way == GradientWay::kTouched) continue;
    const std::int64_t first = trained->parameter->offset;
    const std::int64_t last = first + FloatBuffer::padded(element_count(trained->parameter->shape));
    if (buckets.empty() || buckets.back().floats.first != last ||
        buckets.back().floats.last - first > bucket_floats)
      buckets.push_back({{last, last}, trained->uses.front().op});
    Bucket& bucket = buckets.back();
    bucket.floats.first = first;
    bucket.last_op = std::min(bucket.last_op, trained->uses.front().op);
  }
  if (buckets.empty() || gradients.any(GradientWay::kTouched)) buckets.push_back({});
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
