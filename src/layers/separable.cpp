#include "src/layers/separable.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/dense_op.hpp"
#include "src/layers/depthwise_op.hpp"

namespace lockstep {

SeparableConv::SeparableConv(std::int64_t filters, Window window, Activation activation,
                             Options options)
    : filters_(filters),
      window_(std::move(window)),
      activation_(activation),
      options_(std::move(options)) {
  check(filters > 0 && options_.multiplier > 0, ExitCode::kBadData,
        "[separable_conv] expected positive filters and depth_multiplier, got {} and {}", filters,
        options_.multiplier);
  check(window_.axes() <= 2, ExitCode::kBadData,
        "[separable_conv] expected one axis or two, got {}", window_.axes());
}

std::string SeparableConv::class_name() const {
  return fmt::format("SeparableConv{}D", window_.axes());
}

void SeparableConv::build(const Shape& input) {
  channels_ = window_over(name(), window_, input).input_channels;
  Shape depthwise = window_.size;
  depthwise.push_back(channels_);
  depthwise.push_back(options_.multiplier);
  parameters_.push_back({.name = "depthwise_kernel",
                         .shape = std::move(depthwise),
                         .initializer = options_.depthwise_initializer,
                         .regularizer = options_.depthwise_regularizer,
                         .constraint = options_.depthwise_constraint});
  Shape pointwise(window_.axes(), 1);
  pointwise.push_back(element_count({channels_, options_.multiplier}));
  pointwise.push_back(filters_);
  for (Parameter& parameter : options_.pointwise.parameters(std::move(pointwise), filters_))
    parameters_.push_back(std::move(parameter));
  parameters_[1].name = "pointwise_kernel";
}

std::size_t SeparableConv::lower(Graph& graph, std::span<const std::size_t> inputs) {
  ConvolutionShape shape = window_over(name(), window_, graph.shape(inputs[0]));
  check(shape.input_channels == channels_, ExitCode::kBadData,
        "[{}] expected an input of {} channels, as before, got {}", name(), channels_,
        shape.input_channels);
  shape.groups = channels_;
  shape.output_channels = channels_ * options_.multiplier;
  const std::size_t between =
      graph.add(make_depthwise_op({&parameters_[0]}, shape, false), {inputs[0]},
                output_of(shape, window_.axes(), shape.output_channels));
  std::vector<Parameter*> parameters;
  for (std::size_t i = 1; i < parameters_.size(); ++i) parameters.push_back(&parameters_[i]);
  const bool relu = activation_ == Activation::kRelu;
  const std::size_t z =
      graph.add(make_dense_op(std::move(parameters), ConvolutionShape::product(shape.output), relu),
                {between}, output_of(shape, window_.axes(), filters_));
  return relu ? z : activated(graph, z, activation_);
}

/// Keras 2 also writes groups and a kernel's keys, which Keras 3 refuses.
nlohmann::ordered_json SeparableConv::config() const {
  const KernelAndBias& pointwise = options_.pointwise;
  return {{"filters", filters_},
          {"kernel_size", window_.size},
          {"strides", window_.strides},
          {"padding", padding_name(window_.padding)},
          {"data_format", "channels_last"},
          {"dilation_rate", window_.dilation},
          {"activation", activation_name(activation_)},
          {"use_bias", pointwise.use_bias},
          {"bias_initializer", pointwise.bias_initializer->to_json()},
          {"bias_regularizer", pointwise.bias_regularizer.to_json()},
          {"activity_regularizer", nullptr},
          {"bias_constraint", pointwise.bias_constraint.to_json()},
          {"depth_multiplier", options_.multiplier},
          {"depthwise_initializer", options_.depthwise_initializer->to_json()},
          {"pointwise_initializer", pointwise.kernel_initializer->to_json()},
          {"depthwise_regularizer", options_.depthwise_regularizer.to_json()},
          {"pointwise_regularizer", pointwise.kernel_regularizer.to_json()},
          {"depthwise_constraint", options_.depthwise_constraint.to_json()},
          {"pointwise_constraint", pointwise.kernel_constraint.to_json()}};
}

}  // namespace lockstep
