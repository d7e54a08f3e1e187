#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/export/onnx_graph.hpp"

// Positions stand behind channels in ONNX: (N, C, ...).
namespace lockstep {
namespace {

using Integers = OnnxGraph::Integers;

Shape ones(const Shape& like) {
  return Shape(like.size(), 1);
}

/// ONNX's order: what is in front on every axis, then what is behind.
Integers pads_of(const std::vector<Margin>& margins) {
  Integers pads;
  for (const Margin& margin : margins) pads.push_back(margin.before);
  for (const Margin& margin : margins) pads.push_back(margin.behind);
  return pads;
}

/// Conv over x, channels in front on both sides. `kernel`: (out, in / groups, ...).
std::string convolved(OnnxGraph& graph, const LayerUse& use, Tensor kernel, bool with_bias,
                      std::int64_t groups, bool strided, const std::string& x) {
  const Shape size(kernel.shape.begin() + 2, kernel.shape.end());
  const Shape strides = strided ? use.shape_of("strides") : ones(size);
  const Shape dilation = strided ? use.shape_of("dilation_rate") : ones(size);
  OnnxInputs inputs = {x, graph.constant(std::move(kernel))};
  if (with_bias && use.is_set("use_bias")) inputs.push_back(graph.constant(use.parameter("bias")));
  OnnxGraph::Attributes attributes = {
      {"kernel_shape", size}, {"strides", strides}, {"dilations", dilation}, {"group", groups}};
  if (strided)
    attributes.push_back({"pads", pads_of(window_margins(use, size, strides, dilation))});
  return graph.add("Conv", std::move(inputs), std::move(attributes));
}

std::string ended(OnnxGraph& graph, const LayerUse& use, const std::string& z) {
  return onnx_activated(graph, use, graph.behind(z, use.output.size()));
}

std::string convolution(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return ended(
      graph, use,
      convolved(graph, use, kernel_in_front(use.parameter("kernel")), true, use.config.at("groups"),
                true, graph.in_front(x[0], use.inputs[0].size())));
}

std::string depthwise(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  return ended(graph, use,
               convolved(graph, use, depthwise_in_front(use.parameter("depthwise_kernel")), true,
                         use.inputs[0].back(), true, graph.in_front(x[0], use.inputs[0].size())));
}

std::string separable(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::string y =
      convolved(graph, use, depthwise_in_front(use.parameter("depthwise_kernel")), false,
                use.inputs[0].back(), true, graph.in_front(x[0], use.inputs[0].size()));
  return ended(
      graph, use,
      convolved(graph, use, kernel_in_front(use.parameter("pointwise_kernel")), true, 1, false, y));
}

std::string transposed(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const Tensor kernel = kernel_in_front(use.parameter("kernel"));  // (in, out, ...)
  const Shape size = use.shape_of("kernel_size"), strides = use.shape_of("strides"),
              dilation = use.shape_of("dilation_rate");
  std::vector<Margin> cut;
  Shape more;
  const std::vector<Margin> margins = transposed_margins(use);
  for (std::size_t i = 0; i < margins.size(); ++i) {
    const std::int64_t all =
        (use.inputs[0][i] - 1) * strides[i] + (size[i] - 1) * dilation[i] + 1 + margins[i].behind;
    cut.push_back({margins[i].before, all - margins[i].before - use.output[i]});
    more.push_back(margins[i].behind);
  }
  OnnxInputs inputs = {graph.in_front(x[0], use.inputs[0].size()), graph.constant(kernel)};
  if (use.is_set("use_bias")) inputs.push_back(graph.constant(use.parameter("bias")));
  return ended(graph, use,
               graph.add("ConvTranspose", std::move(inputs),
                         {{"kernel_shape", size},
                          {"strides", strides},
                          {"dilations", dilation},
                          {"pads", pads_of(cut)},
                          {"output_padding", more}}));
}

// --- Pooling ---

std::string pooling(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const Shape size = use.shape_of("pool_size"), strides = use.shape_of("strides");
  const bool is_max = use.layer.class_name().starts_with("Max");
  const std::string y =
      graph.add(is_max ? "MaxPool" : "AveragePool", {graph.in_front(x[0], use.inputs[0].size())},
                {{"kernel_shape", size},
                 {"strides", strides},
                 {"pads", pads_of(window_margins(use, size, strides, ones(size)))}});
  return graph.behind(y, use.output.size());
}

/// Of the steps that the mask leaves.
std::string masked_mean(OnnxGraph& graph, const LayerUse& use, const std::string& x) {
  const std::string counts = graph.with_axes(use.masks[0]->name, {-1});
  const auto sum = [&](const std::string& value) {
    return graph.add("ReduceSum", {value, graph.constant(Integers{1})},
                     {{"keepdims", std::int64_t{use.is_set("keepdims")}}});
  };
  return graph.add("Div", {sum(graph.add("Where", {counts, x, graph.constant(0.0f)})),
                           sum(graph.number(counts))});
}

std::string global_pooling(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  if (use.masks[0] && use.layer.on_mask() == OnMask::kLowers) return masked_mean(graph, use, x[0]);
  Integers axes(use.inputs[0].size() - 1);
  std::iota(axes.begin(), axes.end(), std::int64_t{1});
  const bool is_max = use.layer.class_name().starts_with("GlobalMax");
  return graph.add(is_max ? "ReduceMax" : "ReduceMean", {x[0]},
                   {{"axes", axes}, {"keepdims", std::int64_t{use.is_set("keepdims")}}});
}

std::string sliced(OnnxGraph& graph, const std::string& x, std::int64_t axis, std::int64_t first,
                   std::int64_t last) {
  return graph.add("Slice", {x, graph.constant(Integers{first}), graph.constant(Integers{last}),
                             graph.constant(Integers{axis})});
}

/// Axis by axis, window by window: ONNX has no windows of several sizes.
std::string adaptive_pooling(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const Shape size = use.shape_of("output_size");
  const bool is_max = use.layer.class_name().starts_with("AdaptiveMax");
  std::string y = x[0];
  for (std::size_t i = 0; i < size.size(); ++i) {
    const std::int64_t input = use.inputs[0][i], axis = static_cast<std::int64_t>(i) + 1;
    OnnxInputs parts;
    for (std::int64_t k = 0; k < size[i]; ++k) {
      const std::int64_t first = k * input / size[i];
      const std::int64_t last = ((k + 1) * input + size[i] - 1) / size[i];
      parts.push_back(graph.add(is_max ? "ReduceMax" : "ReduceMean",
                                {sliced(graph, y, axis, first, last)}, {{"axes", Integers{axis}}}));
    }
    y = graph.add("Concat", parts, {{"axis", axis}});
  }
  return y;
}

// --- Padding ---

std::string zero_padding(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  std::vector<Margin> margins = margins_of(use, "padding");
  margins.insert(margins.begin(), Margin());  // the batch
  margins.push_back({});                      // channels
  return graph.add("Pad", {x[0], graph.constant(pads_of(margins))});
}

std::string cropping(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const std::vector<Margin> margins = margins_of(use, "cropping");
  Integers first, last, axes;
  for (std::size_t i = 0; i < margins.size(); ++i) {
    first.push_back(margins[i].before);
    last.push_back(margins[i].before + use.output[i]);
    axes.push_back(static_cast<std::int64_t>(i) + 1);
  }
  return graph.add("Slice",
                   {x[0], graph.constant(first), graph.constant(last), graph.constant(axes)});
}

std::string up_sampling(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const bool linear = use.config.value("interpolation", "nearest") == "bilinear";
  Tensor scales{{static_cast<std::int64_t>(use.inputs[0].size()) + 1}, {1, 1}};
  for (std::size_t i = 0; i + 1 < use.inputs[0].size(); ++i)
    scales.values.push_back(static_cast<float>(use.output[i] / use.inputs[0][i]));
  OnnxGraph::Attributes attributes = {{"mode", std::string(linear ? "linear" : "nearest")}};
  attributes.push_back(
      {"coordinate_transformation_mode", std::string(linear ? "half_pixel" : "asymmetric")});
  if (!linear) attributes.push_back({"nearest_mode", std::string("floor")});
  const std::string y = graph.add(
      "Resize", {graph.in_front(x[0], use.inputs[0].size()), "", graph.constant(std::move(scales))},
      std::move(attributes));
  return graph.behind(y, use.output.size());
}

}  // namespace

OnnxEmits onnx_position_layers() {
  OnnxEmits emits = {{"SeparableConv1D", separable},
                     {"SeparableConv2D", separable},
                     {"DepthwiseConv1D", depthwise},
                     {"DepthwiseConv2D", depthwise}};
  for (int axes = 1; axes <= 3; ++axes) {
    const auto add = [&](const char* form, OnnxEmit emit) {
      emits[fmt::format(fmt::runtime(form), axes)] = emit;
    };
    add("Conv{}D", convolution);
    add("Conv{}DTranspose", transposed);
    add("MaxPooling{}D", pooling);
    add("AveragePooling{}D", pooling);
    add("GlobalMaxPooling{}D", global_pooling);
    add("GlobalAveragePooling{}D", global_pooling);
    add("AdaptiveMaxPooling{}D", adaptive_pooling);
    add("AdaptiveAveragePooling{}D", adaptive_pooling);
    add("ZeroPadding{}D", zero_padding);
    add("Cropping{}D", cropping);
    add("UpSampling{}D", up_sampling);
  }
  return emits;
}

}  // namespace lockstep
