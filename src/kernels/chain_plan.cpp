#include "src/kernels/chain_plan.hpp"

#include <algorithm>
#include <limits>

#include "src/kernels/tile_cost.hpp"

namespace lockstep {
namespace {

using Axes = ConvolutionShape::Axes;

/// Floats from position to position along each axis.
Axes strides_of(const Axes& extent, std::int64_t channels) {
  return {extent[1] * extent[2] * channels, extent[2] * channels, channels};
}

}  // namespace

Range ChainAxis::existing(std::int64_t output) const {
  const std::int64_t at = output * step;
  std::int64_t first = 0, last = taps();
  while (first < last && at + offsets[static_cast<std::size_t>(first)] < 0) ++first;
  while (last > first && at + offsets[static_cast<std::size_t>(last - 1)] >= inputs) --last;
  return {first, last};
}

void ChainConvolution::set_forward(const ConvolutionShape& shape, std::int64_t n) {
  const Axes x_strides = strides_of(shape.input, shape.input_channels);
  const Axes y_strides = strides_of(shape.output, shape.output_channels);
  for (std::size_t i = 0; i < 3; ++i) {
    ChainAxis& axis = axes[i];
    axis.outputs = shape.output[i];
    axis.inputs = shape.input[i];
    axis.step = shape.stride[i];
    axis.x_stride = x_strides[i];
    axis.y_stride = y_strides[i];
    axis.offsets.clear();
    axis.kernel.clear();
    for (std::int64_t k = 0; k < shape.kernel[i]; ++k) {
      axis.offsets.push_back(k * shape.dilation[i] - shape.before[i]);
      axis.kernel.push_back(k);
    }
  }
  samples = n;
  x_sample = shape.input_floats();
  y_sample = shape.output_floats();
  groups = shape.groups;
  depth = shape.channels_in_group();
  columns = shape.output_channels / shape.groups;
}

void ChainConvolution::set_input_gradient(const ConvolutionShape& shape, std::int64_t n,
                                          const Axes& phase) {
  const Axes x_strides = strides_of(shape.output, shape.output_channels);
  const Axes y_strides = strides_of(shape.input, shape.input_channels);
  for (std::size_t i = 0; i < 3; ++i) {
    ChainAxis& axis = axes[i];
    axis.outputs = std::max<std::int64_t>(
        0, (shape.input[i] - phase[i] + shape.stride[i] - 1) / shape.stride[i]);
    axis.inputs = shape.output[i];
    axis.step = 1;
    axis.x_stride = x_strides[i];
    axis.y_stride = y_strides[i] * shape.stride[i];
    axis.offsets.clear();
    axis.kernel.clear();
    for (std::int64_t k = shape.kernel[i] - 1; k >= 0; --k) {
      const std::int64_t at = phase[i] + shape.before[i] - k * shape.dilation[i];
      if (at % shape.stride[i] != 0) continue;
      axis.offsets.push_back(at / shape.stride[i]);
      axis.kernel.push_back(k);
    }
  }
  samples = n;
  x_sample = shape.output_floats();
  y_sample = shape.input_floats();
  groups = shape.groups;
  depth = shape.output_channels / shape.groups;
  columns = shape.channels_in_group();
}

void ChainPlan::make(const ChainConvolution& convolution, const ExactConvolution& variant) {
  convolution_ = &convolution;
  choose(variant);
  for (std::size_t axis = 0; axis < (by_samples_ ? 3 : 2); ++axis) find_kinds(axis);
  lists_.clear();
  segments_.clear();
  std::size_t inner = std::numeric_limits<std::size_t>::max();
  for (Tile& tile : tiles_) {
    const ChainAxis& axis = convolution.axes[2];
    const bool is_inner =
        by_samples_ || (axis.existing(tile.first).count() == axis.taps() &&
                        axis.existing(tile.first + tile.rows - 1).count() == axis.taps());
    if (is_inner && inner != std::numeric_limits<std::size_t>::max()) {
      tile.list = inner;
      continue;
    }
    tile.list = lists_.size();
    if (is_inner) inner = tile.list;
    add_lists(tile);
  }
}

std::int64_t ChainPlan::lines() const {
  const auto& axes = convolution_->axes;
  return axes[0].outputs * axes[1].outputs *
         (by_samples_ ? axes[2].outputs : convolution_->samples);
}

std::int64_t ChainPlan::packed_floats() const {
  const Panel& last = panels_.back();
  return last.packed + convolution_->length() * last.width;
}

ChainPlan::Line ChainPlan::line(std::int64_t index) const {
  const auto& axes = convolution_->axes;
  Line line{0, 0, 0};
  std::array<std::int64_t, 3> at{};
  if (by_samples_) {
    at[2] = index % axes[2].outputs;
    index /= axes[2].outputs;
  }
  at[1] = index % axes[1].outputs;
  index /= axes[1].outputs;
  at[0] = index % axes[0].outputs;
  const std::int64_t sample = index / axes[0].outputs;
  line.x = sample * convolution_->x_sample;
  line.y = sample * convolution_->y_sample;
  for (std::size_t i = 0; i < (by_samples_ ? 3 : 2); ++i) {
    line.x += at[i] * axes[i].step * axes[i].x_stride;
    line.y += at[i] * axes[i].y_stride;
    line.kind =
        line.kind * kinds_[i].taps.size() + kinds_[i].of_output[static_cast<std::size_t>(at[i])];
  }
  return line;
}

void ChainPlan::choose(const ExactConvolution& variant) {
  const std::int64_t vectors = parts_of(convolution_->columns, variant.lanes);
  const std::int64_t extent = convolution_->axes[2].outputs, samples = convolution_->samples;
  std::int64_t best = std::numeric_limits<std::int64_t>::max();
  std::int64_t rows = 1, width = 1;
  for (const bool by_samples : {false, true})
    for (std::int64_t most = 1; most <= variant.most_vectors; ++most) {
      const std::int64_t most_rows = variant.most_rows[most - 1];
      const std::int64_t cost = by_samples ? extent * tiles_cost(samples, most_rows, vectors, most)
                                           : samples * tiles_cost(extent, most_rows, vectors, most);
      // Neighbours share what they read: samples have to be worth it.
      if (by_samples ? cost + cost / 8 < best : cost < best) {
        best = cost;
        by_samples_ = by_samples;
        rows = most_rows;
        width = most;
      }
    }
  cut_panels(variant.lanes, width);
  cut_tiles(by_samples_ ? samples : extent, rows);
}

void ChainPlan::cut_panels(int lanes, std::int64_t most_vectors) {
  const std::int64_t columns = convolution_->columns;
  const std::int64_t vectors = parts_of(columns, lanes);
  const std::int64_t count = parts_of(vectors, most_vectors);
  panels_.clear();
  std::int64_t packed = 0;
  for (std::int64_t group = 0; group < convolution_->groups; ++group)
    for (std::int64_t panel = 0; panel < count; ++panel) {
      const Range part = share(vectors, panel, count);
      const std::int64_t first = part.first * lanes;
      const std::int64_t width = part.count() * lanes;
      const std::int64_t here = std::min(width, columns - first);
      panels_.push_back({group, first, here, width, packed, static_cast<int>(part.count()),
                         static_cast<int>(here - (part.count() - 1) * lanes)});
      packed += width * convolution_->length();
    }
}

void ChainPlan::cut_tiles(std::int64_t extent, std::int64_t most_rows) {
  const std::int64_t count = parts_of(extent, most_rows);
  tiles_.clear();
  for (std::int64_t tile = 0; tile < count; ++tile) {
    const Range part = share(extent, tile, count);
    tiles_.push_back({part.first, part.count(), 0});
  }
}

void ChainPlan::find_kinds(std::size_t axis) {
  Kinds& kinds = kinds_[axis];
  kinds.taps.clear();
  kinds.of_output.clear();
  for (std::int64_t output = 0; output < convolution_->axes[axis].outputs; ++output) {
    const Range taps = convolution_->axes[axis].existing(output);
    auto kind = std::ranges::find(kinds.taps, taps);
    if (kind == kinds.taps.end()) kind = kinds.taps.insert(kind, taps);
    kinds.of_output.push_back(static_cast<std::size_t>(kind - kinds.taps.begin()));
  }
}

void ChainPlan::add_lists(const Tile& tile) {
  for (const Range taps0 : kinds_[0].taps)
    for (const Range taps1 : kinds_[1].taps) {
      if (!by_samples_)
        lists_.push_back(make_list(tile, taps0, taps1, {0, convolution_->axes[2].taps()}));
      else
        for (const Range taps2 : kinds_[2].taps)
          lists_.push_back(make_list(tile, taps0, taps1, taps2));
    }
}

ChainPlan::SegmentList ChainPlan::make_list(const Tile& tile, Range taps0, Range taps1,
                                            Range taps2) {
  const auto& axes = convolution_->axes;
  const std::int64_t depth = convolution_->depth;
  SegmentList list{segments_.size(), 0, false};
  const auto offset = [&](std::size_t axis, std::int64_t tap) {
    return axes[axis].offsets[static_cast<std::size_t>(tap)] * axes[axis].x_stride;
  };
  for (std::int64_t i = taps0.first; i < taps0.last; ++i)
    for (std::int64_t j = taps1.first; j < taps1.last; ++j)
      for (std::int64_t k = taps2.first; k < taps2.last; ++k) {
        ChainSegment segment{offset(0, i) + offset(1, j) + offset(2, k),
                             ((i * axes[1].taps() + j) * axes[2].taps() + k) * depth, depth, 0, 0};
        if (!by_samples_) {
          const auto exists = [&](std::int64_t row) {
            const std::int64_t at =
                (tile.first + row) * axes[2].step + axes[2].offsets[static_cast<std::size_t>(k)];
            return at >= 0 && at < axes[2].inputs;
          };
          std::int64_t first = 0, last = tile.rows;
          while (first < last && !exists(first)) ++first;
          while (last > first && !exists(last - 1)) --last;
          if (first == last) continue;
          segment.front = static_cast<std::int32_t>(first);
          segment.behind = static_cast<std::int32_t>(tile.rows - last);
          list.edges = list.edges || segment.front > 0 || segment.behind > 0;
        }
        if (segments_.size() > list.first) {  // goes on where the last one ends?
          ChainSegment& last = segments_.back();
          if (last.front == segment.front && last.behind == segment.behind &&
              last.a + last.depth == segment.a && last.b + last.depth == segment.b) {
            last.depth += depth;
            continue;
          }
        }
        segments_.push_back(segment);
      }
  list.count = static_cast<std::int64_t>(segments_.size() - list.first);
  return list;
}

}  // namespace lockstep
