#include <algorithm>

#include "io/export/onnx_graph.hpp"

namespace lockstep {
namespace {

using Integers = OnnxGraph::Integers;

/// The order of axes that puts one of a sample's first, or (`back`) where it was.
Integers moved(std::size_t axis, std::size_t axes, bool back) {
  Integers order = {0};
  const auto number = [](std::size_t k) { return static_cast<std::int64_t>(k) + 1; };
  if (!back) {
    order.push_back(number(axis));
    for (std::size_t k = 0; k < axes; ++k)
      if (k != axis) order.push_back(number(k));
  } else {
    for (std::size_t k = 0; k < axes; ++k)
      order.push_back(k < axis ? number(k + 1) : k == axis ? 1 : number(k));
  }
  return order;
}

std::string batch_normalization(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::size_t axis = use.axes_of("axis").front(), axes = use.inputs[0].size();
  const Shape channels = {use.inputs[0][axis]};
  const std::string y = graph.add("BatchNormalization",
                                  {graph.transposed(x[0], moved(axis, axes, false)),
                                   graph.constant(use.parameter_or("gamma", channels, 1)),
                                   graph.constant(use.parameter_or("beta", channels, 0)),
                                   graph.constant(use.parameter("moving_mean")),
                                   graph.constant(use.parameter("moving_variance"))},
                                  {{"epsilon", static_cast<float>(use.number_of("epsilon"))}});
  return graph.transposed(y, moved(axis, axes, true));
}

Shape normalized_shape(const LayerUse& use) {
  Shape shape;
  for (const std::size_t axis : use.axes_of("axis")) shape.push_back(use.inputs[0][axis]);
  return shape;
}

Integers normalized_axes(const LayerUse& use) {
  Integers axes;
  for (const std::size_t axis : use.axes_of("axis"))
    axes.push_back(static_cast<std::int64_t>(axis) + 1);
  return axes;
}

std::string layer_normalization(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const Shape shape = normalized_shape(use);
  return onnx_layer_norm(graph, shape, use.parameter_or("gamma", shape, 1),
                         use.parameter_or("beta", shape, 0), use.number_of("epsilon"), x[0]);
}

std::string rms_normalization(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::string mean =
      graph.add("ReduceMean", {graph.add("Mul", {x[0], x[0]})}, {{"axes", normalized_axes(use)}});
  const std::string inside =
      graph.add("Add", {mean, graph.constant(static_cast<float>(use.number_of("epsilon")))});
  return graph.add("Mul", {graph.add("Div", {x[0], graph.add("Sqrt", {inside})}),
                           graph.constant(use.parameter("scale"))});
}

std::string unit_normalization(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::string sum = graph.add("ReduceSumSquare", {x[0]}, {{"axes", normalized_axes(use)}});
  return graph.add("Div",
                   {x[0], graph.add("Sqrt", {graph.add("Max", {sum, graph.constant(1e-12f)})})});
}

/// By hand: ONNX has none before opset 18.
std::string group_normalization(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::size_t axis = use.axes_of("axis").front(), axes = use.inputs[0].size();
  const std::int64_t channels = use.inputs[0][axis], given = use.config.at("groups");
  const std::int64_t groups = given == -1 ? channels : given;
  const std::string first = graph.transposed(x[0], moved(axis, axes, false));
  const std::string grouped =
      graph.reshaped(first, {groups, element_count(use.inputs[0]) / groups});
  const OnnxGraph::Attributes of_group = {{"axes", Integers{2}}};
  const std::string centered =
      graph.add("Sub", {grouped, graph.add("ReduceMean", {grouped}, of_group)});
  const std::string variance =
      graph.add("ReduceMean", {graph.add("Mul", {centered, centered})}, of_group);
  const std::string deviation = graph.add(
      "Sqrt",
      {graph.add("Add", {variance, graph.constant(static_cast<float>(use.number_of("epsilon")))})});
  Shape shape = {channels}, affine = {channels};
  for (std::size_t k = 0; k < axes; ++k)
    if (k != axis) {
      shape.push_back(use.inputs[0][k]);
      affine.push_back(1);
    }
  std::string y = graph.reshaped(graph.add("Div", {centered, deviation}), shape);
  const auto constant = [&](const char* name, float value) {
    return graph.constant(use.parameter_or(name, {channels}, value).reshaped(affine));
  };
  y = graph.add("Add", {graph.add("Mul", {y, constant("gamma", 1)}), constant("beta", 0)});
  return graph.transposed(y, moved(axis, axes, true));
}

}  // namespace

OnnxEmits onnx_normalizations() {
  return {{"BatchNormalization", batch_normalization},
          {"LayerNormalization", layer_normalization},
          {"RMSNormalization", rms_normalization},
          {"UnitNormalization", unit_normalization},
          {"GroupNormalization", group_normalization}};
}

}  // namespace lockstep
