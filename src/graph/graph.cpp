#include "src/graph/graph.hpp"

#include <algorithm>
#include <utility>

namespace lockstep {

std::size_t Graph::add_input(Shape shape) {
  values_.push_back({std::move(shape), values_.size()});
  inputs_.push_back(values_.size() - 1);
  return inputs_.back();
}

std::size_t Graph::add(std::unique_ptr<Op> op, std::vector<std::size_t> inputs, Shape output) {
  values_.push_back({std::move(output), values_.size()});
  steps_.push_back({std::move(op), std::move(inputs), values_.size() - 1, inference_});
  return values_.size() - 1;
}

std::size_t Graph::add_behind(std::size_t value, std::unique_ptr<Op> op, Shape output) {
  values_.push_back({std::move(output), values_.size()});
  const std::size_t made = storage(value);
  const auto maker = std::ranges::find(steps_, made, &Step::output);
  steps_.insert(maker == steps_.end() ? steps_.begin() : maker + 1,
                {std::move(op), {value}, values_.size() - 1, inference_});
  return values_.size() - 1;
}

std::size_t Graph::reshape(std::size_t value, Shape shape) {
  values_.push_back({std::move(shape), storage(value)});
  return values_.size() - 1;
}

CarriedState& Graph::carry(const std::string& layer, std::int64_t columns) {
  states_.push_back(std::make_unique<CarriedState>(layer, columns));
  return *states_.back();
}

void Graph::finish(std::vector<std::size_t> outputs) {
  outputs_ = std::move(outputs);
  drop_unread_ops();
  leave_scaling_to_input();
}

void Graph::drop_unread_ops() {
  std::vector<bool> read(values_.size(), false);
  for (const std::size_t output : outputs_) {
    read[storage(output)] = true;
    if (const auto mask = this->mask(output)) read[storage(*mask)] = true;
  }
  for (std::size_t i = steps_.size(); i-- > 0;) {
    const std::size_t dropped = steps_[i].output;
    if (read[dropped] || steps_[i].op->needs().adds_to_loss) {
      for (const std::size_t input : steps_[i].inputs) read[storage(input)] = true;
      continue;
    }
    // Nobody asks for its memory.
    const std::size_t other = storage(steps_[i].inputs.front());
    for (Value& value : values_) {
      if (value.storage != dropped) continue;
      value.storage = other;
      value.dropped = true;
    }
    steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Graph::leave_scaling_to_input() {
  const auto reads_input = [&](const Step& step) {
    return std::ranges::any_of(step.inputs, [&](std::size_t v) { return storage(v) == input(); });
  };
  if (inputs_.size() != 1 || std::ranges::count_if(steps_, reads_input) != 1) return;
  const auto found = std::ranges::find_if(steps_, reads_input);
  const std::optional<Scaling> scaling = found->op->scaling();
  if (!scaling) return;
  input_scaling_ = *scaling;
  const std::size_t scaled = found->output;
  steps_.erase(found);
  for (Value& value : values_)
    if (value.storage == scaled) value.storage = input();
}

std::vector<Indices> Graph::input_indices() const {
  std::vector<Indices> all;
  for (const Step& step : steps_)
    if (const auto indices = step.op->indices();
        indices && storage(step.inputs[0]) == input() && input_scaling_.changes_nothing())
      all.push_back(*indices);
  return all;
}

std::size_t Graph::most_batch_sums() const {
  std::size_t most = 0;
  for (const Step& step : steps_)
    most = std::max({most, step.op->needs().forward_sums, step.op->needs().backward_sums});
  return most;
}

std::vector<std::vector<Graph::Reader>> Graph::readers() const {
  std::vector<std::vector<Reader>> readers(values_.size());
  for (std::size_t op = 0; op < steps_.size(); ++op)
    for (std::size_t i = 0; i < steps_[op].inputs.size(); ++i)
      readers[storage(steps_[op].inputs[i])].push_back({op, i});
  return readers;
}

}  // namespace lockstep
