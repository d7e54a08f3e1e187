#include "src/layers/make_depthwise.hpp"

#include <limits>

#include "src/layers/config_values.hpp"
#include "src/layers/depthwise.hpp"
#include "src/layers/separable.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

}  // namespace

std::vector<std::string> depthwise_arguments() {
  return {"kernel_size",
          "strides",
          "padding",
          "depth_multiplier",
          "data_format",
          "dilation_rate",
          "activation",
          "use_bias",
          "depthwise_initializer",
          "bias_initializer",
          "depthwise_regularizer",
          "bias_regularizer",
          "activity_regularizer",
          "depthwise_constraint",
          "bias_constraint"};
}

std::unique_ptr<Layer> make_depthwise_over(std::size_t axes, KerasConfig& config) {
  Window window = read_kernel_window(config, axes, false);
  const std::int64_t multiplier = config.integer("depth_multiplier", 1, 1, kMost);
  config.expect("groups", 1);
  const Activation activation = read_activation(config);
  DepthwiseConv::Options options;
  options.use_bias = config.boolean("use_bias", options.use_bias);
  options.kernel_initializer =
      read_initializer(config, "depthwise_initializer", options.kernel_initializer);
  options.bias_initializer = read_initializer(config, "bias_initializer", options.bias_initializer);
  options.kernel_regularizer = read_regularizer(config, "depthwise_regularizer");
  options.bias_regularizer = read_regularizer(config, "bias_regularizer");
  options.kernel_constraint = read_constraint(config, "depthwise_constraint");
  options.bias_constraint = read_constraint(config, "bias_constraint");
  return std::make_unique<DepthwiseConv>(std::move(window), multiplier, activation,
                                         std::move(options));
}

std::vector<std::string> separable_arguments() {
  return {"filters",
          "kernel_size",
          "strides",
          "padding",
          "data_format",
          "dilation_rate",
          "depth_multiplier",
          "activation",
          "use_bias",
          "depthwise_initializer",
          "pointwise_initializer",
          "bias_initializer",
          "depthwise_regularizer",
          "pointwise_regularizer",
          "bias_regularizer",
          "activity_regularizer",
          "depthwise_constraint",
          "pointwise_constraint",
          "bias_constraint"};
}

std::unique_ptr<Layer> make_separable_over(std::size_t axes, KerasConfig& config) {
  const std::int64_t filters = config.integer("filters", 1, kMost);
  Window window = read_kernel_window(config, axes, axes == 1);
  SeparableConv::Options options;
  options.multiplier = config.integer("depth_multiplier", 1, 1, kMost);
  config.expect("groups", 1);
  const Activation activation = read_activation(config);
  KernelAndBias& pointwise = options.pointwise;
  pointwise.use_bias = config.boolean("use_bias", pointwise.use_bias);
  options.depthwise_initializer =
      read_initializer(config, "depthwise_initializer", options.depthwise_initializer);
  pointwise.kernel_initializer =
      read_initializer(config, "pointwise_initializer", pointwise.kernel_initializer);
  pointwise.bias_initializer =
      read_initializer(config, "bias_initializer", pointwise.bias_initializer);
  options.depthwise_regularizer = read_regularizer(config, "depthwise_regularizer");
  pointwise.kernel_regularizer = read_regularizer(config, "pointwise_regularizer");
  pointwise.bias_regularizer = read_regularizer(config, "bias_regularizer");
  options.depthwise_constraint = read_constraint(config, "depthwise_constraint");
  pointwise.kernel_constraint = read_constraint(config, "pointwise_constraint");
  pointwise.bias_constraint = read_constraint(config, "bias_constraint");
  // Keras 2 writes them for all convolutions, and makes nothing of them here.
  config.ignore({"kernel_initializer", "kernel_regularizer", "kernel_constraint"});
  return std::make_unique<SeparableConv>(filters, std::move(window), activation,
                                         std::move(options));
}

}  // namespace lockstep
