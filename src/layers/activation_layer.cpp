#include "src/layers/activation_layer.hpp"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"

namespace lockstep {
namespace {

/// The double with the float's shortest decimal digits: 0.3, not 0.300000011920929.
double shortest(float x) {
  const std::string text = fmt::format("{}", x);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

ActivationLayer::ActivationLayer(std::string class_name, const ActivationFunction& function,
                                 std::int64_t axis)
    : class_name_(std::move(class_name)), function_(function), axis_(axis) {}

std::size_t ActivationLayer::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check(!is_row_wise(function_.kind) || !input.empty(), ExitCode::kBadData,
        "[{}] {} expected an input with an axis to sum over, got {}", name(),
        activation_name(function_.kind), to_string_batched(input));
  check(axis_ == -1 || axis_ == static_cast<std::int64_t>(input.size()), ExitCode::kBadData,
        "[{}] expected the last axis (-1), got axis {} of {}", name(), axis_,
        to_string_batched(input));
  return activated(graph, inputs[0], function_);
}

nlohmann::ordered_json ActivationLayer::config() const {
  const auto& [alpha, max_value, threshold] = function_.constants;
  if (class_name_ == "Softmax") return {{"axis", -1}};
  if (class_name_ == "LeakyReLU" || class_name_ == "ELU") return {{"alpha", shortest(alpha)}};
  if (class_name_ != "ReLU") return {{"activation", activation_name(function_.kind)}};
  nlohmann::ordered_json config = {{"max_value", nullptr}};
  if (std::isfinite(max_value)) config["max_value"] = shortest(max_value);
  config["negative_slope"] = shortest(alpha);
  config["threshold"] = shortest(threshold);
  return config;
}

}  // namespace lockstep
