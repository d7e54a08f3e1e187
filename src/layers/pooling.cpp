#include "src/layers/pooling.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/position_axes.hpp"

namespace lockstep {
namespace {

const char* pool_name(Pool pool) {
  return pool == Pool::kMax ? "Max" : "Average";
}

/// The windows' cells that there are.
PoolWindows windows_of(const ConvolutionShape& shape) {
  PoolWindows windows;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    windows.axes[axis].clear();
    for (std::int64_t i = 0; i < shape.output[axis]; ++i) {
      const std::int64_t first = i * shape.stride[axis] - shape.before[axis];
      windows.axes[axis].push_back({std::max<std::int64_t>(first, 0),
                                    std::min(first + shape.kernel[axis], shape.input[axis])});
    }
  }
  return windows;
}

/// Of each channel: the positions that the mask, x(1), leaves are added one by one, ascending, and
/// the sum is divided by their number.
class MaskedMeanOp final : public Op {
 public:
  explicit MaskedMeanOp(std::int64_t channels) : channels_(channels) {}

  Needs needs() const override { return {.backward_reads_y = false}; }
  void forward(const Pass&, const OpValues& values) const override {
    for (std::int64_t i = 0; i < values.rows(); ++i) {
      float* const y = values.y().row(i);
      std::fill_n(y, channels_, 0.0f);
      const float number = for_positions(values, i, [&](std::int64_t position, bool counts) {
        if (counts) kernels().sum(y, values.x(0).row(i) + position * channels_, y, channels_);
      });
      for (std::int64_t c = 0; c < channels_; ++c) y[c] /= number;
    }
  }
  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dx = values.dx();
    if (dx.empty()) return;
    for (std::int64_t i = 0; i < values.rows(); ++i) {
      float* const dy = values.dy().row(i);
      const float number = for_positions(values, i, [](std::int64_t, bool) {});
      for (std::int64_t c = 0; c < channels_; ++c) dy[c] /= number;
      for_positions(values, i, [&](std::int64_t position, bool counts) {
        float* const to = dx.row(i) + position * channels_;
        if (counts)
          std::copy_n(dy, channels_, to);
        else
          std::fill_n(to, channels_, 0.0f);
      });
    }
  }

 private:
  /// f(position, whether it counts) of a sample; returns how many do.
  template <class F>
  static float for_positions(const OpValues& values, std::int64_t sample, const F& f) {
    const ConstMatrix mask = values.x(1);
    float number = 0;
    for (std::int64_t position = 0; position < mask.columns; ++position) {
      f(position, mask.row(sample)[position] != 0);
      number += mask.row(sample)[position];
    }
    return number;
  }

  std::int64_t channels_;
};

}  // namespace

std::string Pooling::class_name() const {
  return fmt::format("{}Pooling{}D", pool_name(pool_), window_.axes());
}

std::size_t Pooling::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const ConvolutionShape shape = window_over(name(), window_, graph.shape(inputs[0]));
  return add_pooling(graph, inputs[0], pool_, windows_of(shape),
                     output_of(shape, window_.axes(), shape.input_channels));
}

nlohmann::ordered_json Pooling::config() const {
  return {{"pool_size", window_.size},
          {"padding", padding_name(window_.padding)},
          {"strides", window_.strides},
          {"data_format", "channels_last"}};
}

std::string GlobalPooling::class_name() const {
  return fmt::format("Global{}Pooling{}D", pool_name(pool_), axes_);
}

std::size_t GlobalPooling::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape& input = graph.shape(inputs[0]);
  check_positions(name(), input, axes_);
  Shape output(keep_axes_ ? axes_ : 0, 1);
  output.push_back(input.back());
  if (const auto mask = graph.mask(inputs[0]); mask && on_mask() == OnMask::kLowers) {
    check(graph.shape(*mask) == Shape{input.front()}, ExitCode::kBadData,
          "[{}] expected a mask of each step, got one of {}", name(),
          to_string_batched(graph.shape(*mask)));
    return graph.add(std::make_unique<MaskedMeanOp>(input.back()), {inputs[0], *mask}, output);
  }
  PoolWindows windows;
  const PositionAxes extents = position_axes(input);
  for (std::size_t axis = 0; axis < 3; ++axis) windows.axes[axis] = {{0, extents[axis]}};
  return add_pooling(graph, inputs[0], pool_, std::move(windows), output);
}

nlohmann::ordered_json GlobalPooling::config() const {
  return {{"data_format", "channels_last"}, {"keepdims", keep_axes_}};
}

AdaptivePooling::AdaptivePooling(Pool pool, Shape output_size)
    : pool_(pool), output_size_(std::move(output_size)) {
  check(!output_size_.empty() && *std::ranges::min_element(output_size_) > 0, ExitCode::kBadData,
        "[adaptive_pooling] expected positive extents, got {}", to_string(output_size_));
}

std::string AdaptivePooling::class_name() const {
  return fmt::format("Adaptive{}Pooling{}D", pool_name(pool_), output_size_.size());
}

std::size_t AdaptivePooling::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape& input = graph.shape(inputs[0]);
  check_positions(name(), input, output_size_.size());
  PoolWindows windows;
  Shape output = output_size_;
  output.push_back(input.back());
  element_count(output);  // refuses what cannot be counted
  for (std::size_t i = 0, axis = 3 - output_size_.size(); axis < 3; ++i, ++axis) {
    const std::int64_t outputs = output_size_[i];
    windows.axes[axis].clear();
    for (std::int64_t at = 0; at < outputs; ++at)
      windows.axes[axis].push_back(
          {at * input[i] / outputs, ((at + 1) * input[i] + outputs - 1) / outputs});
  }
  return add_pooling(graph, inputs[0], pool_, std::move(windows), output);
}

nlohmann::ordered_json AdaptivePooling::config() const {
  return {{"output_size", output_size_}, {"data_format", "channels_last"}};
}

}  // namespace lockstep
