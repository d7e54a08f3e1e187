#include "src/layers/layer_normalization.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/row_norm_op.hpp"

namespace lockstep {
namespace {

Shape last_extents(const std::string& layer, const std::vector<std::int64_t>& axes,
                   const Shape& input) {
  const std::size_t count = last_axes(layer, axes, input);
  Shape shape(input.end() - static_cast<std::ptrdiff_t>(count), input.end());
  check(element_count(shape) > 0, ExitCode::kBadData,
        "[{}] expected an input with elements along axis {}, got {}", layer, axes.front(),
        to_string_batched(input));
  return shape;
}

/// The extents along the last axes, which must be those that the layer was built for.
void check_same(const std::string& layer, const std::vector<std::int64_t>& axes, const Shape& built,
                const Shape& input) {
  check(last_extents(layer, axes, input) == built, ExitCode::kBadData,
        "[{}] expected an input that ends in {}, got {}", layer, to_string(built),
        to_string_batched(input));
}

std::size_t add_op(Graph& graph, std::size_t value, RowNorm norm, ScaleAndOffset affine,
                   double epsilon, std::int64_t elements) {
  const Shape shape = graph.shape(value);
  return graph.add(std::make_unique<RowNormOp>(norm, std::move(affine), epsilon, elements,
                                               element_count(shape) / elements),
                   {value}, shape);
}

}  // namespace

void LayerNormalization::build(const Shape& input) {
  normalized_ = last_extents(name(), options_.axes, input);
  const auto count = static_cast<std::int64_t>(normalized_.size());
  const auto rank = static_cast<std::int64_t>(input.size());
  options_.axes.clear();
  for (std::int64_t i = 0; i < count; ++i) options_.axes.push_back(rank - count + 1 + i);
  add_scale_and_offset(parameters_, options_, normalized_);
}

std::size_t LayerNormalization::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check_same(name(), options_.axes, normalized_, graph.shape(inputs[0]));
  const std::int64_t elements = element_count(normalized_);
  return add_op(graph, inputs[0], RowNorm::kDeviation,
                ScaleAndOffset(parameters_, options_.scale, options_.center, elements),
                options_.epsilon, elements);
}

nlohmann::ordered_json LayerNormalization::config() const {
  nlohmann::ordered_json config{{"axis", options_.axes}};
  write_options(config, options_, nlohmann::ordered_json::object());
  return config;
}

void RMSNormalization::build(const Shape& input) {
  normalized_ = last_extents(name(), axes_, input);
  parameters_.push_back({.name = "scale",
                         .shape = normalized_,
                         .initializer = make_initializer(std::string("ones")),
                         .regularizer = {}});
}

std::size_t RMSNormalization::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check_same(name(), axes_, normalized_, graph.shape(inputs[0]));
  const std::int64_t elements = element_count(normalized_);
  return add_op(graph, inputs[0], RowNorm::kRootMeanSquare,
                ScaleAndOffset(parameters_, true, false, elements), epsilon_, elements);
}

nlohmann::ordered_json RMSNormalization::config() const {
  return {{"axis", axes_}, {"epsilon", epsilon_}};
}

std::size_t UnitNormalization::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const std::int64_t elements = element_count(last_extents(name(), axes_, graph.shape(inputs[0])));
  return add_op(graph, inputs[0], RowNorm::kLength,
                ScaleAndOffset(parameters_, false, false, elements), shortest_ * shortest_,
                elements);
}

nlohmann::ordered_json UnitNormalization::config() const {
  return {{"axis", axes_}};
}

}  // namespace lockstep
