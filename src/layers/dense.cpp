#include "src/layers/dense.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/dense_op.hpp"

namespace lockstep {

Dense::Dense(std::int64_t units, Activation activation) : Dense(units, activation, Options{}) {}

Dense::Dense(std::int64_t units, Activation activation, Options options)
    : units_(units), activation_(activation), options_(std::move(options)) {
  check(units > 0, ExitCode::kBadData, "[dense] expected a positive number of units, got {}",
        units);
}

void Dense::build(const Shape& input) {
  check(!input.empty() && input.back() > 0, ExitCode::kBadData,
        "[{}] expected an input with a last axis, got {}", name(), to_string_batched(input));
  inputs_ = input.back();
  parameters_ = options_.parameters({inputs_, units_}, units_);
}

std::size_t Dense::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check(!input.empty() && input.back() == inputs_, ExitCode::kBadData,
        "[{}] expected an input with a last axis of {}, got {}", name(), inputs_,
        to_string_batched(input));
  Shape output = input;
  output.back() = units_;
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : parameters_) parameters.push_back(&parameter);
  const bool relu = activation_ == Activation::kRelu;
  const std::size_t z =
      graph.add(make_dense_op(std::move(parameters), element_count(input) / inputs_, relu),
                {inputs[0]}, output);
  return relu ? z : activated(graph, z, activation_);
}

nlohmann::ordered_json Dense::config() const {
  nlohmann::ordered_json config = {{"units", units_}, {"activation", activation_name(activation_)}};
  options_.write(config);
  return config;
}

}  // namespace lockstep
