#include "src/layers/time_distributed.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/inner_layer.hpp"
#include "src/layers/steps_op.hpp"

namespace lockstep {

TimeDistributed::TimeDistributed(std::unique_ptr<Layer> layer) : layer_(std::move(layer)) {
  check(!layer_->merges() && layer_->class_name() != "InputLayer", ExitCode::kBadData,
        "expected a layer of one input, got {}", layer_->class_name());
}

std::size_t TimeDistributed::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check(input.size() >= 2 && element_count(input) > 0, ExitCode::kBadData,
        "[{}] expected an input (None, time steps, features ...), got {}", name(),
        to_string_batched(input));
  const std::int64_t steps = input.front();
  Graph of_step;
  of_step.set_inference(graph.inference());
  const std::size_t front = of_step.add_input({input.begin() + 1, input.end()});
  layer_->set_index(index());
  const std::size_t output = layer_->apply(of_step, std::array{front});
  check(!of_step.mask(output), ExitCode::kBadData,
        "[{}] expected a layer that makes no mask of each step, got {}", name(),
        layer_->class_name());
  if (uses() == 0) {
    for (Parameter& parameter : parameters()) {
      parameter.store = parameter.store.empty() ? "layer" : "layer/" + parameter.store;
      if (parameter.role == ParameterRole::kTrained && !trainable())
        parameter.role = ParameterRole::kFrozen;
    }
  }
  // Each of its values is one of this graph, by the same number of the front.
  std::vector<std::size_t> values;
  std::vector<Graph::Step> ops = of_step.take_steps();
  std::size_t next = 0;
  for (std::size_t v = 0; v < of_step.values(); ++v) {
    Shape shape = of_step.shape(v);
    shape.insert(shape.begin(), steps);
    if (v == front) {
      values.push_back(inputs[0]);
    } else if (of_step.storage(v) != v) {
      values.push_back(graph.reshape(values[of_step.storage(v)], shape));
    } else {
      Graph::Step& step = ops[next++];
      std::vector<std::size_t> read;
      for (const std::size_t of_op : step.inputs) read.push_back(values[of_op]);
      values.push_back(graph.add(over_steps(std::move(step.op), steps), std::move(read), shape));
    }
  }
  return values[output];
}

nlohmann::ordered_json TimeDistributed::config() const {
  return {{"layer", inner_layer_to_json(*layer_)}};
}

}  // namespace lockstep
