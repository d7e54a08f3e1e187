#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "src/core/keras_config.hpp"
#include "src/core/shape.hpp"
#include "src/kernels/convolution.hpp"

namespace lockstep {

enum class Padding : std::uint8_t { kValid, kSame, kCausal };
const char* padding_name(Padding padding);  ///< Keras's

/// What moves over the positions of a sample, (positions of each axis ..., channels): the kernel of
/// a convolution, the window of a pooling. One extent for each of 1 to 3 axes of positions.
struct Window {
  Shape size;
  Shape strides;
  Shape dilation;
  Padding padding = Padding::kValid;

  /// Extents of 1 but for the size. Throws Error (65) unless all are positive, as many as the
  /// size's, and strides or dilation are 1: [where] expected ...
  static Window of(const std::string& where, Shape size, Shape strides = {}, Shape dilation = {},
                   Padding padding = Padding::kValid);

  std::size_t axes() const { return size.size(); }
};

/// Positions that one axis of the output has, and those of padding in front of the input's.
struct WindowSteps {
  std::int64_t output;
  std::int64_t before;
};
/// Keras's formulas: with 'same' the odd position of padding stands behind.
/// output <= 0: the window is larger than the input.
WindowSteps window_steps(std::int64_t input, std::int64_t size, std::int64_t stride,
                         std::int64_t dilation, Padding padding);

/// The way of the window over an input (positions ..., channels): all of ConvolutionShape but the
/// numbers of output channels and groups. Axes of extent 1 stand in front where there are fewer
/// than 3. Throws Error (65), in the name of the layer, for another number of axes, and for inputs
/// that are smaller than the window: "[conv2d] expected an input of at least 3 x 3 positions, got
/// 2 x 5".
ConvolutionShape window_over(const std::string& layer, const Window& window, const Shape& input);
/// (positions of the output ..., channels), without the axes in front.
Shape output_of(const ConvolutionShape& shape, std::size_t axes, std::int64_t channels);

// --- Keras's config. Wrong values become problems of their key. ---

/// A number of at least `low` for each axis: a list of as many, or one for all of them. If the key
/// is missing `fallback` counts, for all axes, without which the key is needed.
Shape read_extents(KerasConfig& config, const std::string& key, std::size_t axes,
                   std::optional<std::int64_t> fallback, std::int64_t low = 1);
/// "valid" if the key is missing.
Padding read_padding(KerasConfig& config, bool causal);
/// kernel_size, strides, padding (`causal`: that, too) and dilation_rate of a convolution.
Window read_kernel_window(KerasConfig& config, std::size_t axes, bool causal = false);
/// pool_size (2), strides (as pool_size) and padding of a pooling.
Window read_pool_window(KerasConfig& config, std::size_t axes);

}  // namespace lockstep
