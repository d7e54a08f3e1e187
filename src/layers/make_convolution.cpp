#include "src/layers/make_convolution.hpp"

#include <limits>

#include "src/layers/config_values.hpp"
#include "src/layers/convolution.hpp"
#include "src/layers/convolution_transpose.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

/// Empty for Keras's None, which is not 0.
Shape read_output_padding(KerasConfig& config, const Window& window) {
  if (!config.find("output_padding")) return {};
  Shape padding = read_extents(config, "output_padding", window.axes(), {}, 0);
  for (std::size_t i = 0; i < padding.size(); ++i) {
    if (padding[i] < window.strides[i]) continue;
    config.object_to(
        "output_padding", "less than the strides on each axis",
        fmt::format("{} with strides {}", to_string(padding), to_string(window.strides)));
    return {};
  }
  return padding;
}

/// The window's arguments, then those that all layers with a kernel and an activation have.
std::vector<std::string> with_common_arguments(std::vector<std::string> arguments) {
  for (const char* argument :
       {"activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
        "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"})
    arguments.emplace_back(argument);
  return arguments;
}

}  // namespace

std::vector<std::string> convolution_arguments() {
  return with_common_arguments(
      {"filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups"});
}

std::vector<std::string> convolution_transpose_arguments(std::size_t axes) {
  std::vector<std::string> arguments = {"filters",        "kernel_size", "strides",      "padding",
                                        "output_padding", "data_format", "dilation_rate"};
  if (axes == 3) std::swap(arguments[4], arguments[5]);
  return with_common_arguments(std::move(arguments));
}

std::unique_ptr<Layer> make_convolution_over(std::size_t axes, KerasConfig& config) {
  const std::int64_t filters = config.integer("filters", 1, kMost);
  Window window = read_kernel_window(config, axes, axes == 1);
  std::int64_t groups = config.integer("groups", 1, 1, kMost);
  if (filters % groups != 0) {
    config.object_to("groups", fmt::format("a divisor of the {} filters", filters),
                     fmt::format("{}", groups));
    groups = 1;
  }
  const Activation activation = read_activation(config);
  return std::make_unique<Convolution>(filters, std::move(window), activation, groups,
                                       KernelAndBias::read(config));
}

std::unique_ptr<Layer> make_convolution_transpose_over(std::size_t axes, KerasConfig& config) {
  const std::int64_t filters = config.integer("filters", 1, kMost);
  Window window = read_kernel_window(config, axes, false);
  Shape output_padding = read_output_padding(config, window);
  config.expect("groups", 1);
  const Activation activation = read_activation(config);
  return std::make_unique<ConvolutionTranspose>(filters, std::move(window), activation,
                                                std::move(output_padding),
                                                KernelAndBias::read(config));
}

}  // namespace lockstep
