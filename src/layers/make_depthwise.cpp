#include "src/layers/make_depthwise.hpp"

#include <limits>

#include "src/layers/config_values.hpp"
#include "src/layers/depthwise.hpp"

namespace lockstep {

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
  const std::int64_t multiplier =
      config.integer("depth_multiplier", 1, 1, std::numeric_limits<std::int32_t>::max());
  config.expect("data_format", "channels_last");
  config.expect("groups", 1);
  const Activation activation = read_activation(config);
  DepthwiseConv::Options options;
  options.use_bias = config.boolean("use_bias", options.use_bias);
  options.kernel_initializer =
      read_initializer(config, "depthwise_initializer", options.kernel_initializer);
  options.bias_initializer = read_initializer(config, "bias_initializer", options.bias_initializer);
  options.kernel_regularizer = read_regularizer(config, "depthwise_regularizer");
  options.bias_regularizer = read_regularizer(config, "bias_regularizer");
  for (const char* key : {"depthwise_constraint", "bias_constraint"})
    config.expect_for_training(key, nullptr);
  return std::make_unique<DepthwiseConv>(std::move(window), multiplier, activation,
                                         std::move(options));
}

}  // namespace lockstep
