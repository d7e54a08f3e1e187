#include "src/layers/depthwise.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/depthwise_op.hpp"

namespace lockstep {

DepthwiseConv::DepthwiseConv(Window window, std::int64_t multiplier, Activation activation,
                             Options options)
    : window_(std::move(window)),
      multiplier_(multiplier),
      activation_(activation),
      options_(std::move(options)) {
  check(multiplier > 0, ExitCode::kBadData,
        "[depthwise_conv] expected a positive depth_multiplier, got {}", multiplier);
  check(window_.axes() <= 2 && window_.padding != Padding::kCausal, ExitCode::kBadData,
        "[depthwise_conv] expected one axis or two, and padding valid or same, got {} and {}",
        window_.axes(), padding_name(window_.padding));
}

std::string DepthwiseConv::class_name() const {
  return fmt::format("DepthwiseConv{}D", window_.axes());
}

void DepthwiseConv::build(const Shape& input) {
  channels_ = window_over(name(), window_, input).input_channels;
  Shape kernel = window_.size;
  kernel.push_back(channels_);
  kernel.push_back(multiplier_);
  parameters_ = options_.parameters(std::move(kernel), element_count({channels_, multiplier_}));
  parameters_.front().name = "depthwise_kernel";
}

std::size_t DepthwiseConv::lower(Graph& graph, std::span<const std::size_t> inputs) {
  ConvolutionShape shape = window_over(name(), window_, graph.shape(inputs[0]));
  check(shape.input_channels == channels_, ExitCode::kBadData,
        "[{}] expected an input of {} channels, as before, got {}", name(), channels_,
        shape.input_channels);
  shape.groups = channels_;
  shape.output_channels = channels_ * multiplier_;
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : parameters_) parameters.push_back(&parameter);
  const bool relu = activation_ == Activation::kRelu;
  const std::size_t z =
      graph.add(make_depthwise_op(std::move(parameters), shape, relu), {inputs[0]},
                output_of(shape, window_.axes(), shape.output_channels));
  return relu ? z : activated(graph, z, activation_);
}

/// Keras 2 also writes its groups, which Keras 3 refuses.
nlohmann::ordered_json DepthwiseConv::config() const {
  return {{"kernel_size", window_.size},
          {"strides", window_.strides},
          {"padding", padding_name(window_.padding)},
          {"data_format", "channels_last"},
          {"dilation_rate", window_.dilation},
          {"activation", activation_name(activation_)},
          {"use_bias", options_.use_bias},
          {"bias_initializer", options_.bias_initializer->to_json()},
          {"bias_regularizer", options_.bias_regularizer.to_json()},
          {"activity_regularizer", nullptr},
          {"bias_constraint", options_.bias_constraint.to_json()},
          {"depth_multiplier", multiplier_},
          {"depthwise_initializer", options_.kernel_initializer->to_json()},
          {"depthwise_regularizer", options_.kernel_regularizer.to_json()},
          {"depthwise_constraint", options_.kernel_constraint.to_json()}};
}

}  // namespace lockstep
