#include "src/layers/reshaping.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"

namespace lockstep {

Shape InputLayer::reshaped(const Shape& input) const {
  const auto fits = [](std::int64_t extent, std::int64_t wanted) {
    return wanted == -1 || extent == wanted;
  };
  check(std::ranges::equal(input, shape_, fits), ExitCode::kBadData,
        "[{}] expected input {}, got {}", name(), to_string_batched(shape_),
        to_string_batched(input));
  return input;
}

nlohmann::ordered_json InputLayer::config() const {
  nlohmann::ordered_json shape = nlohmann::ordered_json::array({nullptr});
  for (const std::int64_t extent : shape_) shape.push_back(extent);
  return {{"batch_input_shape", shape}, {"sparse", false}, {"ragged", false}};
}

Shape Flatten::reshaped(const Shape& input) const {
  return {element_count(input)};
}

nlohmann::ordered_json Flatten::config() const {
  return {{"data_format", "channels_last"}};
}

Shape Reshape::reshaped(const Shape& input) const {
  const std::int64_t elements = element_count(input);
  Shape output = target_;
  std::int64_t* unknown = nullptr;
  std::int64_t known = 1;
  for (std::int64_t& extent : output) {
    if (extent == -1 && unknown == nullptr) {
      unknown = &extent;
      continue;
    }
    check(extent > 0, ExitCode::kBadData,
          "[{}] expected positive extents and at most one -1, got {}", name(), to_string(target_));
    known = element_count({known, extent});
  }
  if (unknown != nullptr) *unknown = elements / known;
  check(element_count(output) == elements, ExitCode::kBadData,
        "[{}] expected an input of as many elements as {}, got {}", name(), to_string(target_),
        to_string_batched(input));
  return output;
}

nlohmann::ordered_json Reshape::config() const {
  return {{"target_shape", target_}};
}

}  // namespace lockstep
