#include "src/layers/time_distributed.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/inner_layer.hpp"
#include "src/layers/mask_op.hpp"
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
  const auto mask = graph.mask(inputs[0]);
  std::optional<std::size_t> front_mask;
  if (mask && !layer_->is_of_keras_hub()) {
    const Shape of_steps = graph.shape(*mask);
    check(!of_steps.empty() && of_steps.front() == steps, ExitCode::kBadData,
          "[{}] expected a mask of each of {} time steps, got {}", name(), steps,
          to_string_batched(of_steps));
    front_mask = of_step.add_input({of_steps.begin() + 1, of_steps.end()});
    of_step.set_mask(front, front_mask);
  }
  const std::size_t output = layer_->apply(of_step, std::array{front});
  check(of_step.states().empty(), ExitCode::kBadData,
        "[{}] expected layers that are not stateful in a TimeDistributed, got a stateful {}",
        name(), of_step.states().empty() ? "" : of_step.states().front()->layer());
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
    } else if (v == front_mask) {
      values.push_back(*mask);
    } else if (of_step.storage(v) != v) {
      values.push_back(graph.reshape(values[of_step.storage(v)], shape));
    } else {
      Graph::Step& step = ops[next++];
      std::vector<std::size_t> read;
      for (const std::size_t of_op : step.inputs) read.push_back(values[of_op]);
      graph.set_inference(step.inference);
      values.push_back(graph.add(over_steps(std::move(step.op), steps), std::move(read), shape));
    }
  }
  graph.set_inference(of_step.inference());
  std::optional<std::size_t> its_mask = mask;
  while (its_mask && graph.shape(*its_mask).size() > 1 &&
         graph.shape(*its_mask).size() >= graph.shape(values[output]).size())
    its_mask = mask_of_features(graph, *its_mask, 0.0f);
  graph.set_mask(values[output], its_mask);
  return values[output];
}

nlohmann::ordered_json TimeDistributed::config() const {
  return {{"layer", inner_layer_to_json(*layer_)}};
}

}  // namespace lockstep
