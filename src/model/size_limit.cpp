#include "src/model/size_limit.hpp"

#include "src/core/error.hpp"

namespace lockstep {

void check_input_size(const Shape& input) {
  check(element_count(input) <= kMaxElements, ExitCode::kBadData,
        "[input] expected at most {} elements a sample, got {}", kMaxElements,
        element_count(input));
}

void check_size(const Layer& layer, const Graph& graph, std::size_t first, bool counted,
                std::int64_t& parameters) {
  for (const Parameter& parameter : layer.parameters()) {
    if (counted) break;
    const std::int64_t count = element_count(parameter.shape);
    check(count <= kMaxElements - parameters, ExitCode::kBadData,
          "[{}] expected at most {} parameters in all, got {} for the {} {} alone", layer.name(),
          kMaxElements, count, parameter.name, to_string(parameter.shape));
    parameters += count;
  }
  for (std::size_t value = first; value < graph.values(); ++value) {
    const std::int64_t outputs = element_count(graph.shape(value));
    check(outputs <= kMaxElements, ExitCode::kBadData,
          "[{}] expected at most {} outputs a sample, got {}", layer.name(), kMaxElements, outputs);
  }
}

}  // namespace lockstep
