#include "io/export/layer_use.hpp"

#include <algorithm>

#include "src/core/error.hpp"
#include "src/layers/convolution_transpose.hpp"
#include "src/layers/position_embedding.hpp"
#include "src/layers/window.hpp"

namespace lockstep {
namespace {

Shape channels_last(Shape shape) {
  if (shape.size() > 1) std::rotate(shape.begin(), shape.begin() + 1, shape.end());
  return shape;
}

Padding padding_of(const std::string& name) {
  return name == "valid" ? Padding::kValid : name == "same" ? Padding::kSame : Padding::kCausal;
}

}  // namespace

LayerUse::LayerUse(const Layer& its, std::vector<Shape> shapes, Shape output_shape,
                   std::optional<bool> is_causal, const LayerUse* around)
    : layer(its),
      config(layer.config()),
      inputs(std::move(shapes)),
      output(std::move(output_shape)),
      causal(is_causal),
      masks(inputs.size()),
      within(around) {
  if (!layer.channels_first()) return;
  output = channels_last(std::move(output));
  for (Shape& shape : inputs) shape = channels_last(shape);
}

const Parameter* LayerUse::find(const std::string& path) const {
  const auto& all = layer.parameters();
  const auto found = std::ranges::find_if(all, [&](const Parameter& parameter) {
    return parameter.path() == path || parameter.path().ends_with("/" + path);
  });
  return found == all.end() ? nullptr : &*found;
}

Tensor tensor_of(const Parameter& parameter) {
  return {parameter.shape, {parameter.value.begin(), parameter.value.end()}};
}

Tensor LayerUse::parameter(const std::string& path) const {
  const Parameter* parameter = find(path);
  check(parameter != nullptr, ExitCode::kBadData, "[{}] expected a parameter {}, got none",
        layer.name(), path);
  return tensor_of(*parameter);
}

Tensor LayerUse::parameter_or(const std::string& path, const Shape& shape, float value) const {
  return has(path) ? parameter(path) : filled(shape, value);
}

std::size_t sample_axis(std::int64_t axis, std::size_t axes) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(axes) : axis - 1);
}

std::vector<std::size_t> LayerUse::axes_of(const char* key) const {
  const nlohmann::ordered_json& value = config.at(key);
  std::vector<std::size_t> axes;
  for (const auto& axis : value.is_array() ? value : nlohmann::ordered_json::array({value}))
    axes.push_back(sample_axis(axis.get<std::int64_t>(), inputs[0].size()));
  std::ranges::sort(axes);
  return axes;
}

Shape LayerUse::aligned(std::size_t input) const {
  Shape shape = inputs[input];
  shape.insert(shape.begin(), output.size() - shape.size(), 1);
  return shape;
}

bool is_nothing(const std::vector<Margin>& margins) {
  return std::ranges::all_of(margins, [](const Margin& margin) { return margin == Margin(); });
}

std::vector<Margin> window_margins(const LayerUse& use, const Shape& size, const Shape& strides,
                                   const Shape& dilation) {
  return window_margins(use.text_of("padding"), use.inputs[0], size, strides, dilation);
}

std::vector<Margin> window_margins(const std::string& padding, const Shape& positions,
                                   const Shape& size, const Shape& strides, const Shape& dilation) {
  std::vector<Margin> margins;
  for (std::size_t i = 0; i < size.size(); ++i) {
    const auto [output, before] =
        window_steps(positions[i], size[i], strides[i], dilation[i], padding_of(padding));
    const std::int64_t reach = (output - 1) * strides[i] + (size[i] - 1) * dilation[i] + 1;
    margins.push_back({before, std::max(reach - positions[i] - before, std::int64_t{0})});
  }
  return margins;
}

namespace {

/// The last two axes in front, in this order.
Tensor with_channels_in_front(const Tensor& kernel, std::size_t first, std::size_t second) {
  std::vector<std::size_t> order = {first, second};
  for (std::size_t axis = 0; axis + 2 < kernel.shape.size(); ++axis) order.push_back(axis);
  return kernel.permuted(order);
}

}  // namespace

Tensor kernel_in_front(const Tensor& kernel) {
  const std::size_t axes = kernel.shape.size();
  return with_channels_in_front(kernel, axes - 1, axes - 2);
}

Tensor depthwise_in_front(const Tensor& kernel) {
  const std::size_t axes = kernel.shape.size();
  Tensor result = with_channels_in_front(kernel, axes - 2, axes - 1);
  result.shape[0] *= result.shape[1];
  result.shape[1] = 1;
  return result;
}

std::vector<Margin> margins_of(const LayerUse& use, const char* key) {
  std::vector<Margin> margins;
  const nlohmann::ordered_json& value = use.config.at(key);
  if (value.front().is_number()) return {{value[0], value[1]}};
  for (const auto& pair : value) margins.push_back({pair[0], pair[1]});
  return margins;
}

Tensor sine_positions(const LayerUse& use) {
  return {use.output, sine_position_table(use.output, use.number_of("max_wavelength"))};
}

std::vector<Margin> transposed_margins(const LayerUse& use) {
  const Shape size = use.shape_of("kernel_size"), strides = use.shape_of("strides"),
              dilation = use.shape_of("dilation_rate");
  std::vector<Margin> margins;
  for (std::size_t i = 0; i < size.size(); ++i) {
    std::optional<std::int64_t> output_padding;
    if (!use.config.at("output_padding").is_null())
      output_padding = use.config.at("output_padding")[i].get<std::int64_t>();
    const std::int64_t input = use.inputs[0][i];
    const auto [output, before] =
        transposed_steps(input, size[i], strides[i], dilation[i],
                         padding_of(use.text_of("padding")), output_padding);
    const std::int64_t all = (input - 1) * strides[i] + (size[i] - 1) * dilation[i] + 1;
    margins.push_back({before, std::max(output + before - all, std::int64_t{0})});
  }
  return margins;
}

}  // namespace lockstep
