#include "src/layers/convolution_transpose.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/kernel_op.hpp"
#include "src/layers/position_axes.hpp"

namespace lockstep {
namespace {

/// The mirrored convolution's gradient by its input, for x as the gradient by its output.
class ConvolutionTransposeOp final : public KernelOp {
 public:
  ConvolutionTransposeOp(std::vector<Parameter*> parameters, const ConvolutionShape& mirrored,
                         bool relu)
      : KernelOp(std::move(parameters), ConvolutionShape::product(mirrored.input),
                 mirrored.input_channels, relu),
        mirrored_(mirrored) {}

  /// Chains over (position of x, channel of x) ascending, bias added behind them.
  void forward(const Pass&, const OpValues& values) const override {
    convolve_input_gradient(mirrored_, values.rows(), values.x().data, kernel(), values.y().data);
    finish(values.y());
  }

 private:
  void input_gradient(const Pass&, const OpValues& values, Matrix dx) const override {
    convolve(mirrored_, values.rows(), values.dy().data, kernel(), {}, dx.data);
  }
  /// dz and x have each other's part: per grain one chain over (sample, position of x) ascending.
  void kernel_gradient(const Pass&, const OpValues& values, const Subtrees& subtrees,
                       Range elements, float* out) const override {
    convolve_kernel_gradient(mirrored_, values.dy().data, values.x().data, subtrees, elements, out);
  }

  ConvolutionShape mirrored_;
};

}  // namespace

WindowSteps transposed_steps(std::int64_t input, std::int64_t size, std::int64_t stride,
                             std::int64_t dilation, Padding padding,
                             std::optional<std::int64_t> output_padding) {
  const std::int64_t window = (size - 1) * dilation + 1;
  const std::int64_t all = (input - 1) * stride + window;  // that x's positions reach
  if (padding == Padding::kValid)
    return {all + output_padding.value_or(std::max(stride - window, std::int64_t{0})), 0};
  const std::int64_t output =
      output_padding ? (input - 1) * stride + window % 2 + *output_padding : input * stride;
  return {output, std::max(all - output, std::int64_t{0}) / 2};
}

ConvolutionTranspose::ConvolutionTranspose(std::int64_t filters, Window window,
                                           Activation activation, Shape output_padding,
                                           Options options)
    : filters_(filters),
      window_(std::move(window)),
      activation_(activation),
      output_padding_(std::move(output_padding)),
      options_(std::move(options)) {
  check(filters > 0, ExitCode::kBadData,
        "[convolution_transpose] expected a positive number of filters, got {}", filters);
  check(window_.padding != Padding::kCausal, ExitCode::kBadData,
        "[convolution_transpose] expected valid or same padding, got causal");
  if (output_padding_.empty()) return;
  bool less = output_padding_.size() == window_.axes();
  for (std::size_t i = 0; less && i < window_.axes(); ++i)
    less = output_padding_[i] >= 0 && output_padding_[i] < window_.strides[i];
  check(less, ExitCode::kBadData,
        "[convolution_transpose] expected an output_padding that is less than the strides on each "
        "axis, got {} with {}",
        to_string(output_padding_), to_string(window_.strides));
}

std::string ConvolutionTranspose::class_name() const {
  return fmt::format("Conv{}DTranspose", window_.axes());
}

ConvolutionShape ConvolutionTranspose::mirrored(const Shape& input) const {
  const std::size_t axes = window_.axes();
  check_positions(name(), input, axes);
  ConvolutionShape shape;
  shape.input_channels = filters_;
  shape.output_channels = input.back();
  for (std::size_t i = 0, axis = 3 - axes; i < axes; ++i, ++axis) {
    std::optional<std::int64_t> output_padding;
    if (!output_padding_.empty()) output_padding = output_padding_[i];
    const auto [output, before] =
        transposed_steps(input[i], window_.size[i], window_.strides[i], window_.dilation[i],
                         window_.padding, output_padding);
    check(output > 0, ExitCode::kBadData,
          "[{}] expected an output of at least one position on each axis, got {}: give another "
          "output_padding than {}",
          name(), output, to_string(output_padding_));
    shape.input[axis] = output;
    shape.output[axis] = input[i];
    shape.before[axis] = before;
    shape.kernel[axis] = window_.size[i];
    shape.stride[axis] = window_.strides[i];
    shape.dilation[axis] = window_.dilation[i];
  }
  return shape;
}

void ConvolutionTranspose::build(const Shape& input) {
  inputs_ = mirrored(input).output_channels;
  Shape kernel = window_.size;
  kernel.push_back(filters_);
  kernel.push_back(inputs_);
  parameters_ = options_.parameters(std::move(kernel), filters_);
}

std::size_t ConvolutionTranspose::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const ConvolutionShape shape = mirrored(graph.shape(inputs[0]));
  check(shape.output_channels == inputs_, ExitCode::kBadData,
        "[{}] expected an input of {} channels, as before, got {}", name(), inputs_,
        shape.output_channels);
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : parameters_) parameters.push_back(&parameter);
  const bool relu = activation_ == Activation::kRelu;
  Shape output(shape.input.end() - static_cast<std::ptrdiff_t>(window_.axes()), shape.input.end());
  output.push_back(filters_);
  const std::size_t z =
      graph.add(std::make_unique<ConvolutionTransposeOp>(std::move(parameters), shape, relu),
                {inputs[0]}, std::move(output));
  return relu ? z : activated(graph, z, activation_);
}

/// Without Keras 2's `groups`, which Keras 3 refuses here.
nlohmann::ordered_json ConvolutionTranspose::config() const {
  nlohmann::ordered_json config = {{"filters", filters_},
                                   {"kernel_size", window_.size},
                                   {"strides", window_.strides},
                                   {"padding", padding_name(window_.padding)},
                                   {"output_padding", nullptr},
                                   {"data_format", "channels_last"},
                                   {"dilation_rate", window_.dilation},
                                   {"activation", activation_name(activation_)}};
  if (!output_padding_.empty()) config["output_padding"] = output_padding_;
  options_.write(config);
  return config;
}

}  // namespace lockstep
