#include "src/layers/masking.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/mask_op.hpp"

namespace lockstep {
std::size_t Masking::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  check(shape.size() >= 2, ExitCode::kBadData,
        "[{}] expected an input (None, time steps, features), got {}", name(),
        to_string_batched(shape));
  const std::size_t mask = mask_of_features(graph, inputs[0], static_cast<float>(mask_value_));
  const std::size_t output = filled(graph, mask, inputs[0], 0.0f);
  graph.set_mask(output, mask);
  return output;
}

nlohmann::ordered_json Masking::config() const {
  return {{"mask_value", mask_value_}};
}

}  // namespace lockstep
