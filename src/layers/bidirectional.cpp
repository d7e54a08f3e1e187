#include "src/layers/bidirectional.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/concatenate.hpp"
#include "src/layers/inner_layer.hpp"
#include "src/layers/merging.hpp"

namespace lockstep {
namespace {

std::unique_ptr<Layer> make_merge(BidirectionalMerge merge) {
  switch (merge) {
    case BidirectionalMerge::kSum:
      return std::make_unique<Merging>(Merge::kAdd);
    case BidirectionalMerge::kMultiply:
      return std::make_unique<Merging>(Merge::kMultiply);
    case BidirectionalMerge::kAverage:
      return std::make_unique<Merging>(Merge::kAverage);
    case BidirectionalMerge::kConcat:
      break;
  }
  return std::make_unique<Concatenate>();
}

}  // namespace

std::string merge_name(BidirectionalMerge merge) {
  constexpr const char* kNames[] = {"concat", "sum", "mul", "ave"};
  return kNames[static_cast<std::size_t>(merge)];
}

Bidirectional::Bidirectional(std::unique_ptr<RecurrentLayer> forward,
                             std::unique_ptr<RecurrentLayer> backward, BidirectionalMerge merge)
    : forward_(std::move(forward)), backward_(std::move(backward)), merge_(merge) {
  check(!forward_->go_backwards() && (!backward_ || backward_->go_backwards()), ExitCode::kBadData,
        "[bidirectional] expected a layer whose go_backwards is false, and a backward_layer whose "
        "is true, got others");
  check(!backward_ || backward_->return_sequences() == forward_->return_sequences(),
        ExitCode::kBadData,
        "[bidirectional] expected one return_sequences of both directions, got two");
  check(!backward_ || backward_->return_state() == forward_->return_state(), ExitCode::kBadData,
        "[bidirectional] expected one return_state of both directions, got two");
  check(merge_ == BidirectionalMerge::kConcat || this->backward().units() == forward_->units(),
        ExitCode::kBadData, "[bidirectional] expected {} units in both directions, got {}",
        forward_->units(), this->backward().units());
}

std::vector<Activation> Bidirectional::activations() const {
  std::vector<Activation> all = forward_->activations();
  for (const Activation activation : backward().activations()) all.push_back(activation);
  return all;
}

void Bidirectional::build(const Shape& input) {
  parameters_ = forward_->make_parameters(name(), input);
  of_forward_ = parameters_.size();
  for (Parameter& parameter : backward().make_parameters(name(), input))
    parameters_.push_back(std::move(parameter));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = parameters_[i];
    const bool first = i < of_forward_;
    const RecurrentLayer& layer = first ? *forward_ : backward();
    std::string inner = layer.name();
    if (first || !backward_) inner = (first ? "forward_" : "backward_") + inner;
    parameter.scope = parameter.scope.empty() ? inner : inner + "/" + parameter.scope;
    parameter.store = (first ? "forward_layer/" : "backward_layer/") + parameter.store;
    if (!layer.trainable()) parameter.role = ParameterRole::kFrozen;
  }
}

std::vector<std::size_t> Bidirectional::states() const {
  std::vector<std::size_t> lists = forward_->states();
  const std::vector<std::size_t> of_backward = backward().states();
  if (of_backward.size() != lists.size()) return {};  // Keras gives each direction one half
  lists.insert(lists.end(), of_backward.begin(), of_backward.end());
  return lists;
}

std::vector<std::size_t> Bidirectional::lower_all(Graph& graph,
                                                  std::span<const std::size_t> inputs) {
  const std::span all(parameters_);
  const std::span states = inputs.subspan(1);
  const std::vector<std::size_t> lists = forward_->states();
  const std::size_t of_forward =
      states.empty() ? 0 : std::accumulate(lists.begin(), lists.end(), std::size_t{0});
  const bool sequences = forward_->return_sequences();
  std::vector<std::size_t> outputs =
      forward_->add_ops(name(), graph, inputs[0], all.first(of_forward_),
                        {.zeros_for_mask = sequences,
                         .stateful = forward_->stateful(),
                         .again = uses() > 0,
                         .key = random_key(),
                         .states = states.first(of_forward)});
  const std::vector<std::size_t> backward =
      this->backward().add_ops(name(), graph, inputs[0], all.subspan(of_forward_),
                               {.go_backwards = true,
                                .in_input_order = true,
                                .second = true,
                                .zeros_for_mask = sequences,
                                .stateful = this->backward().stateful(),
                                .again = uses() > 0,
                                .key = random_key(),
                                .states = states.subspan(of_forward)});
  const auto merge = make_merge(merge_);
  merge->set_name(name());
  outputs.front() = merge->apply(graph, std::array{outputs.front(), backward.front()});
  if (sequences) graph.set_mask(outputs.front(), graph.mask(inputs[0]));
  outputs.insert(outputs.end(), backward.begin() + 1, backward.end());
  return outputs;
}

nlohmann::ordered_json Bidirectional::config() const {
  nlohmann::ordered_json config = {{"layer", inner_layer_to_json(*forward_)},
                                   {"merge_mode", merge_name(merge_)}};
  if (backward_) config["backward_layer"] = inner_layer_to_json(*backward_);
  return config;
}

}  // namespace lockstep
