#include "src/layers/window.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <ranges>

#include "src/core/error.hpp"
#include "src/core/words.hpp"
#include "src/layers/position_axes.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMaxExtent = std::numeric_limits<std::int32_t>::max();

bool is_above_one(const Shape& extents) {
  return std::ranges::any_of(extents, [](std::int64_t extent) { return extent > 1; });
}

/// From the first to the last position that the window covers.
std::int64_t reach(std::int64_t size, std::int64_t dilation) {
  return (size - 1) * dilation + 1;
}

/// "3 x 3".
std::string positions_text(const Shape& extents) {
  return fmt::format("{}", fmt::join(extents, " x "));
}

/// What may not stand beside each other, as in Keras.
void object_to_strides_with_dilation(KerasConfig& config, Window& window) {
  if (!is_above_one(window.strides) || !is_above_one(window.dilation)) return;
  config.object_to(
      "strides", "1 together with a dilation_rate above 1",
      fmt::format("{} with {}", to_string(window.strides), to_string(window.dilation)));
  window.strides.assign(window.axes(), 1);
}

}  // namespace

const char* padding_name(Padding padding) {
  switch (padding) {
    case Padding::kSame:
      return "same";
    case Padding::kCausal:
      return "causal";
    default:
      return "valid";
  }
}

Window Window::of(const std::string& where, Shape size, Shape strides, Shape dilation,
                  Padding padding) {
  if (strides.empty()) strides.assign(size.size(), 1);
  if (dilation.empty()) dilation.assign(size.size(), 1);
  for (const Shape& extents : {size, strides, dilation})
    check(!size.empty() && extents.size() == size.size() && std::ranges::min(extents) > 0,
          ExitCode::kBadData, "[{}] expected {} positive extents, got {}", where, size.size(),
          to_string(extents));
  check(!is_above_one(strides) || !is_above_one(dilation), ExitCode::kBadData,
        "[{}] expected strides of 1 together with a dilation above 1, got {} with {}", where,
        to_string(strides), to_string(dilation));
  return {std::move(size), std::move(strides), std::move(dilation), padding};
}

WindowSteps window_steps(std::int64_t input, std::int64_t size, std::int64_t stride,
                         std::int64_t dilation, Padding padding) {
  const std::int64_t window = reach(size, dilation);
  if (padding == Padding::kSame) {
    const std::int64_t output = (input + stride - 1) / stride;
    return {output, std::max((output - 1) * stride + window - input, std::int64_t{0}) / 2};
  }
  const std::int64_t before = padding == Padding::kCausal ? window - 1 : 0;
  const std::int64_t room = input + before - window;
  return {room < 0 ? 0 : room / stride + 1, before};
}

ConvolutionShape window_over(const std::string& layer, const Window& window, const Shape& input) {
  const std::size_t axes = window.axes();
  check_positions(layer, input, axes);
  ConvolutionShape shape;
  shape.input_channels = input.back();
  bool fits = true;
  for (std::size_t i = 0, axis = 3 - axes; i < axes; ++i, ++axis) {
    shape.input[axis] = input[i];
    shape.kernel[axis] = window.size[i];
    shape.stride[axis] = window.strides[i];
    shape.dilation[axis] = window.dilation[i];
    const auto [output, before] = window_steps(input[i], window.size[i], window.strides[i],
                                               window.dilation[i], window.padding);
    shape.output[axis] = output;
    shape.before[axis] = before;
    fits = fits && output > 0;
  }
  Shape reaches, positions(input.begin(), input.end() - 1);
  for (std::size_t i = 0; i < axes; ++i)
    reaches.push_back(reach(window.size[i], window.dilation[i]));
  check(fits, ExitCode::kBadData, "[{}] expected an input of at least {} positions, got {}", layer,
        positions_text(reaches), positions_text(positions));
  return shape;
}

Shape output_of(const ConvolutionShape& shape, std::size_t axes, std::int64_t channels) {
  Shape output(shape.output.end() - static_cast<std::ptrdiff_t>(axes), shape.output.end());
  output.push_back(channels);
  return output;
}

Shape read_extents(KerasConfig& config, const std::string& key, std::size_t axes,
                   std::optional<std::int64_t> fallback, std::int64_t low) {
  const Shape otherwise(axes, fallback.value_or(low));
  const nlohmann::ordered_json* const value = config.find(key);
  if (!value && fallback) return otherwise;
  const std::string expected =
      fmt::format("an integer of at least {}, or a list of {}", low,
                  axes == 1 ? "one" : fmt::format("{}, one for each axis", axes));
  if (!value) {
    config.object_to(key, expected, "nothing");
    return otherwise;
  }
  Shape extents = config.integers(key, low, kMaxExtent);
  if (value->is_number() && extents.size() == 1) extents.assign(axes, extents.front());
  if (extents.size() == axes) return extents;
  // What is no list, and wrong numbers in it, were named already.
  const nlohmann::ordered_json& list = value->is_object() ? value->value("items", *value) : *value;
  if (list.is_array() && list.size() != axes) config.object_to(key, expected, describe(*value));
  return otherwise;
}

Padding read_padding(KerasConfig& config, bool causal) {
  const std::string word = lower_case(config.text("padding", "valid"));
  for (const Padding padding : {Padding::kValid, Padding::kSame, Padding::kCausal})
    if (word == padding_name(padding) && (padding != Padding::kCausal || causal)) return padding;
  config.object_to("padding", causal ? "valid, same or causal" : "valid or same",
                   describe(*config.find("padding")));
  return Padding::kValid;
}

Window read_kernel_window(KerasConfig& config, std::size_t axes, bool causal) {
  Window window;
  window.size = read_extents(config, "kernel_size", axes, {});
  window.strides = read_extents(config, "strides", axes, 1);
  window.padding = read_padding(config, causal);
  window.dilation = read_extents(config, "dilation_rate", axes, 1);
  object_to_strides_with_dilation(config, window);
  return window;
}

Window read_pool_window(KerasConfig& config, std::size_t axes) {
  Window window;
  window.size = read_extents(config, "pool_size", axes, 2);
  window.strides = config.find("strides") ? read_extents(config, "strides", axes, 1) : window.size;
  window.padding = read_padding(config, false);
  window.dilation.assign(axes, 1);
  return window;
}

}  // namespace lockstep
