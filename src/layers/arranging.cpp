#include "src/layers/arranging.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/strided_op.hpp"

namespace lockstep {

Permute::Permute(Shape dims) : dims_(std::move(dims)) {
  Shape sorted = dims_;
  std::ranges::sort(sorted);
  for (std::size_t k = 0; k < sorted.size(); ++k)
    check(sorted[k] == static_cast<std::int64_t>(k) + 1, ExitCode::kBadData,
          "[permute] expected each of the axes 1 to {} once, got {}", sorted.size(),
          to_string(dims_));
}

std::size_t Permute::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check(graph.shape(inputs[0]).size() == dims_.size(), ExitCode::kBadData,
        "[{}] expected an input of as many axes as {} beside the batch, got {}", name(),
        to_string(dims_), to_string_batched(graph.shape(inputs[0])));
  std::vector<std::size_t> order;
  for (const std::int64_t axis : dims_) order.push_back(static_cast<std::size_t>(axis - 1));
  return permuted(graph, inputs[0], order);
}

nlohmann::ordered_json Permute::config() const {
  return {{"dims", dims_}};
}

RepeatVector::RepeatVector(std::int64_t n) : n_(n) {
  check(n > 0, ExitCode::kBadData, "[repeat_vector] expected a positive number, got {}", n);
}

std::size_t RepeatVector::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check(input.size() == 1, ExitCode::kBadData, "[{}] expected input (None, features), got {}",
        name(), to_string_batched(input));
  return broadcast_to(graph, inputs[0], {n_, input[0]});
}

nlohmann::ordered_json RepeatVector::config() const {
  return {{"n", n_}};
}

}  // namespace lockstep
