#include <algorithm>

#include "io/export/onnx_graph.hpp"
#include "src/layers/activation_layer.hpp"

namespace lockstep {
namespace {

using Integers = OnnxGraph::Integers;

std::string dense(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  std::optional<Tensor> bias;
  if (use.is_set("use_bias")) bias = use.parameter("bias");
  return onnx_activated(
      graph, use,
      onnx_dense(graph, use.inputs[0].size(), use.parameter("kernel"), std::move(bias), x[0]));
}

std::string activation(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return onnx_activation(graph, dynamic_cast<const ActivationLayer&>(use.layer).function(), x[0]);
}

std::string prelu(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.add("PRelu", {x[0], graph.constant(use.parameter("alpha"))});
}

std::string same(OnnxGraph&, const LayerUse&, const OnnxInputs& x) {
  return x[0];
}

std::string reshape(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.reshaped(x[0], use.output);
}

std::string permute(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  Integers order = use.shape_of("dims");
  order.insert(order.begin(), 0);
  return graph.transposed(x[0], order);
}

std::string repeat(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.add("Expand", {graph.reshaped(x[0], {1, use.inputs[0][0]}),
                              graph.constant(Integers{1, use.output[0], 1})});
}

std::string rescaling(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const auto number = [&](const char* key) {
    return graph.constant(static_cast<float>(use.number_of(key)));
  };
  return graph.add("Add", {graph.add("Mul", {x[0], number("scale")}), number("offset")});
}

std::string masking(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::string masked =
      graph.add("Equal", {x[0], graph.constant(static_cast<float>(use.number_of("mask_value")))});
  const std::string counts =
      graph.add("Cast", {graph.add("Not", {masked})}, {{"to", std::int64_t{1}}});
  return graph.add("Mul",
                   {x[0], graph.add("ReduceMax", {counts},
                                    {{"axes", Integers{-1}}, {"keepdims", std::int64_t{1}}})});
}

// --- Merging ---

template <const char* const& kOp>
std::string merged(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  std::string y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool short_one = use.inputs[i].size() < use.output.size();
    const std::string one = short_one ? graph.reshaped(x[i], use.aligned(i)) : x[i];
    y = i == 0 ? one : graph.add(kOp, {y, one});
  }
  return y;
}
constexpr const char* kAdd = "Add";
constexpr const char* kSub = "Sub";
constexpr const char* kMul = "Mul";
constexpr const char* kMax = "Max";
constexpr const char* kMin = "Min";

std::string average(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return graph.add("Div",
                   {merged<kAdd>(graph, use, x), graph.constant(static_cast<float>(x.size()))});
}

std::string concatenate(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const auto axis = static_cast<std::int64_t>(use.axes_of("axis").front()) + 1;
  return graph.add("Concat", x, {{"axis", axis}});
}

std::string dot(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const auto& axes = use.config.at("axes");
  OnnxInputs sides;
  for (std::size_t i = 0; i < 2; ++i) {
    const Shape& shape = use.inputs[i];
    const auto axis =
        sample_axis((axes.is_array() ? axes[i] : axes).get<std::int64_t>(), shape.size());
    Integers order = {0};
    for (std::size_t k = 0; k < shape.size(); ++k)
      if (k != axis) order.push_back(static_cast<std::int64_t>(k) + 1);
    order.push_back(static_cast<std::int64_t>(axis) + 1);
    const std::int64_t length = shape[axis];
    std::string side =
        graph.reshaped(graph.transposed(x[i], order), {element_count(shape) / length, length});
    if (use.is_set("normalize")) {
      const std::string sum = graph.add("ReduceSumSquare", {side}, {{"axes", Integers{-1}}});
      side = graph.add(
          "Div", {side, graph.add("Sqrt", {graph.add("Max", {sum, graph.constant(1e-12f)})})});
    }
    sides.push_back(side);
  }
  const std::string other = graph.transposed(sides[1], {0, 2, 1});
  return graph.reshaped(graph.add("MatMul", {sides[0], other}), use.output);
}

}  // namespace

OnnxEmits onnx_plain_layers() {
  return {{"Dense", dense},
          {"Activation", activation},
          {"ReLU", activation},
          {"LeakyReLU", activation},
          {"ELU", activation},
          {"Softmax", activation},
          {"PReLU", prelu},
          {"InputLayer", same},
          {"Flatten", reshape},
          {"Reshape", reshape},
          {"Permute", permute},
          {"RepeatVector", repeat},
          {"Rescaling", rescaling},
          {"Masking", masking},
          {"Add", merged<kAdd>},
          {"Subtract", merged<kSub>},
          {"Multiply", merged<kMul>},
          {"Maximum", merged<kMax>},
          {"Minimum", merged<kMin>},
          {"Average", average},
          {"Concatenate", concatenate},
          {"Dot", dot},
          // Noise is for training.
          {"Dropout", same},
          {"AlphaDropout", same},
          {"SpatialDropout1D", same},
          {"SpatialDropout2D", same},
          {"SpatialDropout3D", same},
          {"GaussianNoise", same},
          {"GaussianDropout", same},
          {"ActivityRegularization", same}};
}

}  // namespace lockstep
