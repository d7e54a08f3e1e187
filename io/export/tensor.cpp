#include "io/export/tensor.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {

Tensor filled(Shape shape, float value) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  return {std::move(shape), std::vector<float>(count, value)};
}

Tensor Tensor::reshaped(Shape other) const {
  check(element_count(other) == static_cast<std::int64_t>(values.size()), ExitCode::kBadData,
        "[export] expected {} elements for {}, got {}", element_count(other), to_string(other),
        values.size());
  return {std::move(other), values};
}

Tensor Tensor::permuted(const std::vector<std::size_t>& order) const {
  std::vector<std::size_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * static_cast<std::size_t>(shape[axis]);
  Tensor result;
  for (const std::size_t axis : order) result.shape.push_back(shape[axis]);
  result.values.reserve(values.size());
  Shape index(order.size(), 0);
  std::size_t from = 0;
  for (std::size_t count = 0; count < values.size(); ++count) {
    result.values.push_back(values[from]);
    for (std::size_t axis = order.size(); axis-- > 0;) {
      from += strides[order[axis]];
      if (++index[axis] < result.shape[axis]) break;
      from -= strides[order[axis]] * static_cast<std::size_t>(index[axis]);
      index[axis] = 0;
    }
  }
  return result;
}

Tensor Tensor::with_blocks(const std::vector<std::size_t>& order) const {
  const std::size_t block = values.size() / order.size();
  Tensor result{shape, {}};
  for (const std::size_t from : order) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(from * block);
    result.values.insert(result.values.end(), first, first + static_cast<std::ptrdiff_t>(block));
  }
  return result;
}

Tensor Tensor::at(std::int64_t index) const {
  const Shape rest(shape.begin() + 1, shape.end());
  const std::int64_t count = element_count(rest);
  const auto first = values.begin() + index * count;
  return {rest, {first, first + count}};
}

}  // namespace lockstep
